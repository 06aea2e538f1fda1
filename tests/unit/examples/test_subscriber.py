"""The example subscriber takes what is genuine, once, and nothing that is replayed or forged."""

import json
from pathlib import Path

import pytest

from chassis.webhooks import new_secret, signature
from examples.subscriber import Inbox

SECRET = new_secret()


@pytest.fixture
def inbox(tmp_path: Path) -> Inbox:
    """An empty inbox."""
    return Inbox(tmp_path / "ioc.db", SECRET)


def delivery(number: int, *, version: int = 1) -> bytes:
    """A delivery of one change."""
    change = {"record_id": "r", "type": "pupil", "key": "HS1", "event": "NEW", "version": version, "position": 1}
    return json.dumps({"delivery_id": f"d{number}", "school_id": 7, "changes": [change]}).encode()


def test_a_delivery_counts_once_however_often_it_comes(inbox: Inbox) -> None:
    """And an older version that comes late does not undo a newer one."""
    assert [inbox.take(delivery(1, version=5)), inbox.take(delivery(1, version=5))] == [True, False]
    assert inbox.take(delivery(2, version=3))
    assert inbox._base.execute("SELECT version FROM change").fetchall() == [(5,)]


def test_only_what_was_signed_lately_with_the_secret_is_genuine(inbox: Inbox) -> None:
    """By the very signature that sync makes."""
    body, now = delivery(1), 1_000_000.0
    good = signature(SECRET, message_id="d1", timestamp=1_000_000, body=body)

    assert inbox.genuine("d1", "1000000", good, body, now=now)
    assert inbox.genuine("d1", "1000000", f"v1,other {good}", body, now=now)
    assert not inbox.genuine("d2", "1000000", good, body, now=now)
    assert not inbox.genuine("d1", "1000000", good, body + b" ", now=now)
    assert not inbox.genuine("d1", "1000001", good, body, now=now)
    assert not inbox.genuine("d1", "1000000", good, body, now=now + 301)
    assert not inbox.genuine("", "", "", body, now=now)
