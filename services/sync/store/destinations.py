"""Destinations: how they are served, their rate and their circuit, shared by all replicas."""

import json
from collections.abc import Mapping
from datetime import datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.domain.destinations import Destination, ExchangeForm, Kind, Window

CHANGEABLE: Final = ("paused", "windows", "calls_per_second", "package_size", "form")


async def destinations(reads: AsyncConnection, *, after: str = "", most: int = 1000) -> list[Destination]:
    """Destinations in order of code."""
    found = await reads.execute(_LIST, {"after": after, "most": most})
    return [_destination(row) for row in found]


async def destination(reads: AsyncConnection, code: str) -> Destination | None:
    """One destination; None: there is none."""
    row = (await reads.execute(_ONE, {"code": code})).one_or_none()
    return None if row is None else _destination(row)


async def add(writes: AsyncConnection, one: Destination) -> bool:
    """Add a destination; False: its code is taken."""
    return bool((await writes.execute(_ADD, _given(one))).rowcount)


async def keep_endpoint(writes: AsyncConnection, one: Destination) -> None:
    """Add a destination that settings name, or tell one that is there its endpoint, name and unit."""
    await writes.execute(_KEEP, _given(one))


async def change(writes: AsyncConnection, code: str, values: Mapping[str, Any]) -> None:
    """Change how a destination is served."""
    assert set(values) <= set(CHANGEABLE), "only what may be changed"
    given = {name: json.dumps(value) if name == "windows" else value for name, value in values.items()}
    sets = ", ".join(f"{name} = {f'CAST(:{name} AS jsonb)' if name == 'windows' else f':{name}'}" for name in given)
    await writes.execute(sa.text(f"UPDATE destination SET {sets} WHERE code = :code"), {**given, "code": code})  # noqa: S608  names of columns


async def advance(writes: AsyncConnection, code: str, *, since: int, to: int) -> bool:
    """Move the position on; False: another replica has moved it."""
    return bool((await writes.execute(_ADVANCE, {"code": code, "since": since, "to": to})).rowcount)


async def next_slot(writes: AsyncConnection, code: str, *, now: datetime) -> datetime:
    """Take the next free slot of the destination's rate."""
    slot: datetime = (await writes.execute(_SLOT, {"code": code, "now": now})).scalar_one()
    return slot


async def note_failure(
    writes: AsyncConnection, code: str, *, reason: str, vi: str, en: str, open_until: datetime | None
) -> None:
    """Count a failed call, and open the circuit until an instant, if one is given."""
    given = {"code": code, "reason": reason, "vi": vi, "en": en, "until": open_until}
    await writes.execute(_FAILURE, given)


async def note_answer(writes: AsyncConnection, code: str) -> None:
    """Close the circuit: the destination answers. Does nothing where it is closed."""
    await writes.execute(_ANSWER, {"code": code})


async def take_probe(writes: AsyncConnection, code: str, *, now: datetime, seconds: float) -> bool:
    """Whether this caller is the one that tries a destination whose circuit was open: the others go on waiting."""
    given = {"code": code, "now": now, "until": now + timedelta(seconds=seconds)}
    return bool((await writes.execute(_PROBE, given)).rowcount)


_COLUMNS = (
    "code, kind, form, display_name, endpoint, unit_id, paused, windows, calls_per_second, package_size, secret,"
    " position, failure_count, open_until, problem_reason, problem, problem_en, create_time"
)
_LIST = sa.text(f"SELECT {_COLUMNS} FROM destination WHERE code > :after ORDER BY code LIMIT :most")  # noqa: S608
_ONE = sa.text(f"SELECT {_COLUMNS} FROM destination WHERE code = :code")  # noqa: S608
_INSERT = """
    INSERT INTO destination AS held
        (code, kind, form, display_name, endpoint, unit_id, paused, windows, calls_per_second, package_size, secret,
         create_time)
    VALUES (:code, :kind, :form, :display_name, :endpoint, :unit_id, :paused, CAST(:windows AS jsonb),
        :calls_per_second, :package_size, :secret, :create_time)
    """
_ADD = sa.text(_INSERT + " ON CONFLICT DO NOTHING")
_KEEP = sa.text(
    _INSERT
    + """
    ON CONFLICT (code) DO UPDATE
    SET endpoint = excluded.endpoint, display_name = excluded.display_name, unit_id = excluded.unit_id
    WHERE (held.endpoint, held.display_name, held.unit_id)
        IS DISTINCT FROM (excluded.endpoint, excluded.display_name, excluded.unit_id)
    """
)
_ADVANCE = sa.text("UPDATE destination SET position = :to WHERE code = :code AND position = :since")
_SLOT = sa.text(
    """
    UPDATE destination
    SET next_call_time = GREATEST(next_call_time, CAST(:now AS timestamptz))
        + make_interval(secs => 1 / calls_per_second)
    WHERE code = :code
    RETURNING next_call_time - make_interval(secs => 1 / calls_per_second)
    """
)
_FAILURE = sa.text(
    """
    UPDATE destination
    SET failure_count = failure_count + 1, open_until = CAST(:until AS timestamptz), problem_reason = :reason,
        problem = :vi, problem_en = :en
    WHERE code = :code
    """
)
_ANSWER = sa.text(
    """
    UPDATE destination
    SET failure_count = 0, open_until = NULL, problem_reason = '', problem = '', problem_en = ''
    WHERE code = :code AND (failure_count > 0 OR open_until IS NOT NULL)
    """
)
_PROBE = sa.text(
    "UPDATE destination SET open_until = :until WHERE code = :code AND open_until IS NOT NULL AND open_until <= :now"
)


def _given(one: Destination) -> dict[str, Any]:
    windows = [{"from": f"{window.since:%H:%M}", "until": f"{window.until:%H:%M}"} for window in one.windows]
    names = ("code", "display_name", "endpoint", "unit_id", "paused", "calls_per_second", "package_size", "secret")
    given = {name: getattr(one, name) for name in names}
    numbers = {"kind": int(one.kind), "form": int(one.form)}
    return {**given, **numbers, "windows": json.dumps(windows), "create_time": one.create_time}


def _destination(row: Any) -> Destination:
    windows = tuple(Window(time.fromisoformat(one["from"]), time.fromisoformat(one["until"])) for one in row.windows)
    names = _COLUMNS.replace("kind, form, ", "").replace("windows, ", "").split(", ")
    given = {name.strip(): getattr(row, name.strip()) for name in names}
    kind = Kind(row.kind)
    form = ExchangeForm(row.form) if kind is Kind.MINISTRY else ExchangeForm.NONE
    return Destination(kind=kind, form=form, windows=windows, **given)
