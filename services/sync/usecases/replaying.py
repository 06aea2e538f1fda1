"""Rows of the quarantine taken once more, as they are or corrected: what is stored leaves it, what is not stays with
what is wrong now.

A row that a newer version has overtaken leaves it too. Twice the same is harmless: records knows versions. Who asks at
a unit writes at its schools only, and a correction deletes nothing that the row did not say to be gone.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any, Final
from uuid import uuid4

from iocedu.records.v1.resources_pb2 import Row
from pydantic_core import from_json
from sqlalchemy.ext.asyncio import AsyncConnection

from services.sync.convert.documents import RawRow
from services.sync.convert.rows import Checked, Noted, Unread, make, of_school
from services.sync.convert.sheets.specification import Sheets
from services.sync.domain import problems
from services.sync.domain.batches import BatchKey, Origin, RowState
from services.sync.domain.connections import KINDS as SCHOOLS
from services.sync.domain.paths import steps_of
from services.sync.domain.words import Text
from services.sync.store import quarantine
from services.sync.usecases import refusals
from services.sync.usecases.intake import Intake, apply, checking
from services.sync.usecases.partner_connections import admitted
from services.sync.usecases.settling import Parcel, columns_of, unit_called

MOST_REPLAYED: Final = 5_000
LOCKED_AT_ONCE: Final = 1_000
LEASE_SECONDS: Final = 60.0
_STAYS: Final = frozenset({RowState.REJECTED, RowState.HELD})
_OF_A_RECORD: Final = frozenset({"OTHER_SOURCE", "RECORD_ERASED"})  # Not of the value that the key is made of.

Quarantined = Mapping[str, Any]  # By the columns of its table.


@dataclass(frozen=True, slots=True)
class Asker:
    """Who asks for rows to be taken once more, and at which unit."""

    subject: str
    unit_id: int


@dataclass(frozen=True, slots=True)
class Replayed:
    """What became of a row."""

    row_id: int
    state: RowState
    noted: Noted | None


async def replay(intake: Intake, rows: Sequence[Quarantined], *, asker: Asker | None = None) -> list[Replayed]:
    """Take rows once more, narrowed to what `asker` may send to schools of the unit; without one as they were sent.

    Those whose contents may not be kept stay as they are.
    """
    kept = [row for row in rows if row["content"]]

    def whose(row: Quarantined) -> tuple[int, str, str, bool]:
        return row["unit_id"], row["source"], row["profile"], row["backfill"]

    done = [Replayed(row["quarantined_row_id"], RowState(row["state"]), None) for row in rows if not row["content"]]
    for (unit_id, source, profile, backfill), group in groupby(sorted(kept, key=whose), key=whose):
        origin = Origin(str(unit_id), unit_id, source, backfill, profile)
        if asker is not None:
            origin = (await admitted(intake, origin, asker.subject, unit_id=asker.unit_id)).within(asker.unit_id)
        of_one = sorted(group, key=lambda row: int(row["quarantined_row_id"]))
        came = max(row["create_time"] for row in of_one) if asker is None else None
        done += await _replay(intake, origin, of_one, came=came)
    return done


async def correct(
    intake: Intake, row: Quarantined, values: Mapping[str, str], *, sheets: Sheets, asker: Asker
) -> Replayed:
    """Take a row once more with other values, without those fields that are emptied. What corrects a file's row is read
    as the file's cells are.

    Raises INVALID_FIELD where there is no such place in it, where it would be gone only by the correction, and where it
    would be of another record or version though not that was wrong with it; SCHOOL_OUTSIDE_UNIT where that names a
    school beyond the unit.
    """
    try:
        before, meant, raw = (from_json(row["content"]) for _ in range(3))
    except ValueError:
        raise refusals.not_correctable() from None
    asked: dict[str, str] = {}  # By path in the row the name it was asked for by.
    for name, given in values.items():
        path, value = sheets.as_written(_kind(raw), name, given) if "sheet" in row["metadata"] else (name, given)
        asked[path] = name
        if not isinstance(raw, dict) or not _put(raw, path, value):
            raise refusals.no_such_place(name)
        if path == row["field"] and row["reason"] not in _OF_A_RECORD:
            _put(meant, path, value)
    profile = intake.profiles[row["profile"]]
    content = _content(raw)
    made = make(raw, profile)
    wrong = (made.problem, *made.also) if isinstance(made, Unread) else ()
    for one in wrong:
        if one.reason == "UNKNOWN_FIELD" and one.field in asked:
            raise refusals.no_such_place(asked[one.field])
    if made.school != make(before, profile).school:
        _check_school(intake, made.school, asker)
    flag = profile.called("deleted", raw).field
    if raw.get(flag) != before.get(flag) and _may_be_gone(made):
        raise refusals.not_gone_by_correction(flag)
    if _is_another(make(meant, profile), made):
        raise refusals.not_another_record()
    (done,) = await replay(intake, [{**row, "content": content}], asker=asker)
    return done


def _check_school(intake: Intake, school: str, asker: Asker) -> None:
    """Raise SCHOOL_OUTSIDE_UNIT where a school is none of the unit's; without one a row is of where it stands."""
    tree, today = intake.scopes.tree, intake.clock.today()
    if school and tree.resolve(school, today) not in tree.subtree(asker.unit_id, today):
        raise refusals.school_beyond(school, unit_called(tree, asker.unit_id, today))


def _is_another(was: Row | Unread, made: Row | Unread) -> bool:
    """Whether a row is of another record, or of another version of it, than with what was wrong with it put right."""
    if was.key not in ("", made.key) or was.school not in ("", made.school):
        return True
    before, after = _row(was), _row(made)
    if before is None or after is None:
        return False
    of = before.WhichOneof("record"), before.previous_key
    return of != (after.WhichOneof("record"), after.previous_key) or before.version not in (0, after.version)


def _row(made: Row | Unread) -> Row | None:
    return made if isinstance(made, Row) else made.rest


def _may_be_gone(made: Row | Unread) -> bool:
    row = _row(made)
    return row is None or row.deleted


async def ask_replay(writes: AsyncConnection, schools: Collection[int], *, now: datetime) -> None:
    """Note schools of which a lock was lifted."""
    if schools:
        await quarantine.ask_replay(writes, dict.fromkeys(schools, 0), now=now)


async def replay_next_unlocked(intake: Intake, *, lease: float = LEASE_SECONDS) -> bool:
    """Take rows once more that a lock held and that may be free by now; False when there are none."""
    async with intake.database.transaction() as writes:
        claimed = await quarantine.claim_replay(writes, seconds=lease)
    if claimed is None:
        return False
    place_id, after, asked = claimed
    async with intake.database.connection() as reads:
        rows = await quarantine.wanted(reads, [place_id], reason=problems.LOCKED, after=after, most=LOCKED_AT_ONCE)
    if rows:
        await replay(intake, rows)
    async with intake.database.transaction() as writes:
        if len(rows) < LOCKED_AT_ONCE:
            await quarantine.end_replay(writes, place_id, asked=asked)
        else:
            await quarantine.advance_replay(writes, place_id, asked=asked, after=rows[-1]["quarantined_row_id"])
    return True


async def _replay(
    intake: Intake, origin: Origin, rows: Sequence[Quarantined], *, came: datetime | None
) -> list[Replayed]:
    profile = intake.profiles[origin.profile]
    raws = [_read(intake, row) for row in rows]
    how = checking(
        intake,
        origin,
        content=lambda index: rows[index]["content"],
        called=lambda index, path: profile.called(path, raws[index].raw()),
        place=lambda index, _: _place(rows[index]),
        document=True,
        careful=True,
        located=lambda index, _: _located(rows[index]),
    )
    checked = Checked(how)
    await checked.add_all([raw.row for raw in raws])
    # Each try is a request of its own: records would answer it as it answered the one before.
    told = uuid4().bytes
    await apply(intake, origin, [checked], batch=told, batch_ids=list(dict.fromkeys(row["batch_id"] for row in rows)))
    noted = {one.index: one for one in checked.noted}
    done = [
        Replayed(row["quarantined_row_id"], RowState(state), noted.get(index))
        for index, (row, state) in enumerate(zip(rows, checked.states, strict=True))
    ]
    gone = [one.row_id for one in done if one.state not in _STAYS]
    stays = [
        _anew(rows[index], one.noted) for index, one in enumerate(done) if one.state in _STAYS and one.noted is not None
    ]
    checked.counts = type(checked.counts)({key: count for key, count in checked.counts.items() if key[1] not in _STAYS})
    key = BatchKey(origin.unit_id, origin.source, f"replay-{told.hex()}")
    await intake.ledger.settle_replay(origin, Parcel(key, told, [checked]), gone=gone, stays=stays, came=came)
    return done


def _read(intake: Intake, row: Quarantined) -> RawRow:
    """A row as it was kept, made once more; one that names no school is the one's it was kept for."""
    content = row["content"].encode(errors="replace")
    try:
        raw = from_json(content)
    except ValueError:
        return RawRow(content, Unread(problems.not_json(0), key=row["key"]), row["row_index"])
    if not isinstance(raw, dict):
        return RawRow(content, Unread(problems.not_an_object(), key=row["key"]), row["row_index"])
    made = make(raw, intake.profiles[row["profile"]])
    unit = intake.scopes.tree.unit(row["place_id"])
    if unit is not None and unit.kind in SCHOOLS:
        made = of_school(made, str(row["place_id"]))
    return RawRow(content, made, row["row_index"])


def _place(row: Quarantined) -> Text:
    told = row["metadata"]
    if "sheet" in told and "row" in told:
        return problems.cell_at(told["sheet"], int(told["row"]))
    return problems.record_with(row["key"])


def _located(row: Quarantined) -> dict[str, str]:
    """Where it stands in its file; the column is the one that was wrong, and may be another now."""
    return {name: row["metadata"][name] for name in ("sheet", "row") if name in row["metadata"]}


def _anew(row: Quarantined, noted: Noted) -> dict[str, Any]:
    return {
        "place_id": row["place_id"],
        "quarantined_row_id": row["quarantined_row_id"],
        "content": row["content"],
        **columns_of(noted),
    }


def _put(raw: dict[str, Any], path: str, value: Any) -> bool:
    """Write a value at a path such as `NGAY_SINH`, `pupil.birth_date` or `DIEM_MONS[2].DIEM`, or take out what stands
    there where it is empty; False: there is no such path.
    """
    steps = steps_of(path)
    if not steps:
        return False
    target: Any = raw
    for step in steps[:-1]:
        try:
            target = target[step]
        except (KeyError, IndexError, TypeError):
            return False
    last = steps[-1]
    if isinstance(last, int):
        if not isinstance(target, list) or last >= len(target):
            return False
    elif not isinstance(target, dict):
        return False
    if value == "" and isinstance(target, dict) and last in target:
        del target[last]
    else:
        target[last] = value
    return True


def _kind(raw: Any) -> object:
    return raw.get("DOI_TUONG") if isinstance(raw, dict) else None


def _content(raw: Any) -> str:
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":"))
