"""When destinations are called, how long is waited after failures, and under which version records are sent."""

import asyncio
from datetime import time, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.clients.webhooks import checked_address, signature
from services.sync.domain.deliveries import UnreachableError
from services.sync.domain.destinations import (
    BREAK_AFTER,
    LONGEST_PAUSE,
    Window,
    in_windows,
    next_version,
    pause_after,
    retry_after,
)


def test_a_window_may_pass_midnight() -> None:
    """Schools' portals are quiet at night."""
    night = Window(time(18, 0), time(6, 0))

    assert [hour for hour in range(24) if in_windows([night], time(hour))] == [0, 1, 2, 3, 4, 5, *range(18, 24)]
    assert in_windows([], time(12))
    assert not in_windows([Window(time(8), time(9))], time(9))


@given(st.integers(0, 1000), st.floats(0, 1))
def test_pauses_grow_and_stay_within_their_bound(failures: int, chance: float) -> None:
    """A destination that comes back is noticed within a minute, however long it was away."""
    pause = pause_after(failures, chance=chance)

    assert timedelta(seconds=0.5) <= pause <= LONGEST_PAUSE
    assert pause <= pause_after(failures + BREAK_AFTER, chance=chance)
    assert retry_after(failures, chance=chance) <= timedelta(hours=1)


@given(st.integers(0, 2**50), st.integers(1, 2**50))
def test_a_record_is_sent_under_a_version_it_never_had(sent: int, position: int) -> None:
    """Whatever the feed's position is, also after a restore of the feed."""
    assert next_version(sent, position) > sent
    assert next_version(sent, position) >= position


def test_a_signature_covers_timestamp_and_body() -> None:
    """A delivery cannot be replayed under another time, nor its body changed."""
    good = signature("s", "100", b"{}")

    assert good == signature("s", "100", b"{}")
    assert len({good, signature("s", "101", b"{}"), signature("s", "100", b"{} "), signature("t", "100", b"{}")}) == 4


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "10.1.2.3", "192.168.0.9", "169.254.169.254", "[::1]", "[::ffff:10.0.0.1]", "0.0.0.0", "224.0.0.1"],
)
def test_addresses_inside_are_not_called(host: str) -> None:
    """Nor those of a cloud's metadata, nor any in disguise; unless settings allow it."""
    with pytest.raises(UnreachableError) as refused:
        asyncio.run(checked_address(f"https://{host}/in", private_addresses=False))

    assert refused.value.reason == "ADDRESS_REFUSED"
    assert asyncio.run(checked_address(f"https://{host}/in", private_addresses=True))


def test_public_addresses_are_called() -> None:
    """As they are."""
    assert asyncio.run(checked_address("https://8.8.8.8/in", private_addresses=False)) == "8.8.8.8"
