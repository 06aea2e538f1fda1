"""The rows of a file are carried to records in slices, each a batch of its own whose id is made from import and slice.

The next slice is read and made while records works on the last: an order of slices is an order of versions, so one
is carried at a time. A run that is lost between two steps is gone on with by another: what was carried is known by its
batch id.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import structlog
from iocedu.records.v1 import held_records_pb2
from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import sync_pb2

from services.sync.convert.checks import FindSchool
from services.sync.convert.documents import RawRow
from services.sync.convert.imports import FileRow, Reading, SheetAt, Stored, counts_of, file_row, keys_of, sheet_at
from services.sync.convert.rows import Checked, Unread
from services.sync.domain import problems
from services.sync.domain.batches import BatchKey, RowState, digest_of
from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.imports import KINDS, SLICE_BYTES, SLICE_ROWS, Counts, Import
from services.sync.domain.profiles import Raw
from services.sync.domain.roster_flaws import file_at
from services.sync.domain.words import Text
from services.sync.store import imports
from services.sync.usecases.imports.examining import READ_AHEAD, reading_of
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import lines
from services.sync.usecases.imports.placing import Placing, origin_of, placing_of
from services.sync.usecases.imports.relating import related
from services.sync.usecases.imports.shelf import HELD_AT_ONCE, read_held
from services.sync.usecases.intake import apply, checking
from services.sync.usecases.partner_connections import admitted
from services.sync.usecases.sandboxes import on_trial
from services.sync.usecases.settling import Parcel

# Slices carried by now, what became of the last one's rows, and what these delete, by collection.
Note = Callable[[int, Counts, Mapping[str, list[str]]], Awaitable[None]]
Lacks = Callable[[Mapping[str, list[str]]], Awaitable[None]]  # What a complete file lacks, by collection.
Plain = Row | Unread
_KIND_COLLECTIONS: Final = {kind: collection for collection, kind in KINDS.items()}

log = structlog.get_logger(__name__)


async def carry(office: Office, one: Import, path: Path, *, note: Note, lacks: Lacks) -> None:
    """Carry all rows that are not yet, telling of each slice; raises FileRefusedError and what records answers."""
    async with office.intake.database.connection() as reads:
        later, waits = await imports.sent_beside(reads, one)
    number, read = one.slices_done, dict[str, set[str]]()
    reading = replace(reading_of(office, one), later=later, marks=waits)
    under_way: asyncio.Task[None] | None = None
    before: set[tuple[str, str]] = set()
    placing = placing_of(office, one, reading)

    async def push(number: int, raws: Sequence[RawRow], rows: Sequence[FileRow | None], *, name: str) -> None:
        outcome = await push_slice(office, one, raws, rows, name=name)
        said = zip(raws, rows, outcome.states, strict=True)
        gone = [raw for raw, row, state in said if row is not None and int(state) == RowState.ACCEPTED]
        counts = counts_of(outcome)
        await note(number, counts if any(rows) else counts.refused(), _deleted(gone))

    try:
        async for number, rows, plain in _to_carry(office, one, path, reading, read=read, placing=placing):
            records = {(row.sheet.kind, key) for row, made in zip(rows, plain, strict=True) for key in keys_of(made)}
            if under_way is not None and not records.isdisjoint(before):
                await under_way  # What it stores is what the rows of this one stand over.
            raws = await _made(office, placing.find, reading, rows, plain)
            if under_way is not None:
                await under_way
            before = records
            under_way = asyncio.create_task(push(number, raws, rows, name=f"{number:06d}"))
        if under_way is not None:
            await under_way
    finally:
        if under_way is not None:
            under_way.cancel()
            await asyncio.gather(under_way, return_exceptions=True)
    # Where it cannot be told which record of which school a row is, nobody knows what that school lacks.
    gone = await _gone(office, one, reading, read) if read and not placing.unsure else []
    if read and placing.unsure:
        log.warning("nothing deleted", action="imports.unsure", import_id=one.import_id, rows=placing.unsure.total())
    if gone:
        await lacks(_deleted(gone))
    for start in range(0, len(gone), SLICE_ROWS):
        raws = gone[start : start + SLICE_ROWS]
        # What a lost run deleted is not listed again: these are known by what they delete, not by their number.
        name = f"gone-{digest_of(*(raw.content for raw in raws)).hex()}"
        await push(number, raws, [None] * len(raws), name=name)


async def _to_carry(
    office: Office, one: Import, path: Path, reading: Reading, *, read: dict[str, set[str]], placing: Placing
) -> AsyncIterator[tuple[int, list[FileRow], list[Plain]]]:
    """The slices that are not carried yet, by number from 1, with what their rows say.

    Of a complete file, and of complete ones of several, the keys of all rows are noted in `read`, by type of record.
    """
    number, sheets = 0, list[SheetAt | None]()
    async for rows in _slices(office, one, path, sheets):
        for sheet in sheets:
            if sheet is not None and sheet.complete:
                read.setdefault(sheet.kind, set())
        if not rows:
            continue
        number += 1
        carried = number <= one.slices_done
        if carried and not (one.order.complete or read):
            continue
        settled = await related(office, reading, sheets, rows, find=placing.find)
        plain = await _plain(reading, settled)
        for row, made in zip(settled, plain, strict=True):
            if row.sheet.holds_all(complete=one.order.complete):
                read.setdefault(row.sheet.kind, set()).update(placing.take(row, made))
        if not carried:
            yield number, settled, plain


async def _plain(reading: Reading, rows: Sequence[FileRow]) -> list[Plain]:
    """What the rows of a slice say, whatever is held."""
    plain: list[Plain] = []
    for at, row in enumerate(rows):
        plain.append(reading.plain(row))
        if at % READ_AHEAD == 0:
            await asyncio.sleep(0)
    return plain


async def _made(
    office: Office, find: FindSchool, reading: Reading, rows: Sequence[FileRow], plain: Sequence[Plain]
) -> list[RawRow]:
    """The records of a slice of a file, over what is held of them; beyond the import's unit nothing is read."""
    wanted: dict[str, list[tuple[int, Row]]] = {}
    for at, (row, made) in enumerate(zip(rows, plain, strict=True)):
        if not row.flaws and isinstance(made, Row) and isinstance(find(made.school), int):
            wanted.setdefault(row.sheet.collection, []).append((at, made))
    held: dict[int, Stored] = {}
    gone: dict[int, int] = {}
    parts = [
        (collection, found[start : start + HELD_AT_ONCE])
        for collection, found in wanted.items()
        for start in range(0, len(found), HELD_AT_ONCE)
    ]

    async def look(collection: str, part: Sequence[tuple[int, Row]]) -> None:
        names = [held_records_pb2.RecordName(school=row.school, key=row.key) for _, row in part]
        request = held_records_pb2.ReadRecordsRequest(collection=collection, names=names, with_restricted=True)
        answer = await office.intake.records.held(request)
        held.update(
            {part[one.place][0]: Stored(one.record.row, one.record.source, one.restricted) for one in answer.held}
        )
        gone.update({part[one.place][0]: one.version for one in answer.gone})

    await asyncio.gather(*(look(*part) for part in parts))
    raws: list[RawRow] = []
    for at, row in enumerate(rows):
        raws.append(reading.raw_row(row, plain[at], held.get(at), gone=gone.get(at, 0)))
        if at % READ_AHEAD == 0:
            await asyncio.sleep(0)
    return raws


async def push_slice(
    office: Office, one: Import, raws: Sequence[RawRow], rows: Sequence[FileRow | None], *, name: str
) -> sync_pb2.Outcome:
    """Carry a slice, or tell again what became of it."""
    intake = office.intake
    origin = await admitted(intake, origin_of(one), one.order.subject)
    origin = await on_trial(intake, origin, self_signed=False, uploaded_by=one.order.subject)
    key, digest = BatchKey(origin.unit_id, origin.source, one.batch_prefix + name), digest_of(one.digest, name.encode())
    # That a run which was lost is gone on with is no repeat by the sender.
    known = (await intake.ledger.recall({key: digest})).get(key)
    if known is not None:
        return known
    how = checking(
        intake,
        origin,
        content=lambda index: raws[index].content.decode(errors="replace"),
        called=lambda index, path: office.profile.called(path, _said(raws[index], rows[index])),
        place=lambda index, field: _place(rows[index], field),
        document=True,
        careful=any(b"\\u0000" in raw.content for raw in raws),
        located=lambda index, field: _located(rows[index], field),
    )
    veiled = {
        index: frozenset(row.raw)
        for index, (raw, row) in enumerate(zip(raws, rows, strict=True))
        if raw.veiled and row is not None
    }
    apart = any(row is not None and row.apart is not None for row in rows)
    checked = Checked(replace(how, apart=apart, veiled=veiled))
    await checked.add_all([raw.row for raw in raws])
    told = digest_of(key.batch_id.encode(), *(raw.content for raw in raws))
    await apply(intake, origin, [checked], batch=told, batch_ids=[key.batch_id])
    parcel = Parcel(key, digest, [checked])
    outcome = (await intake.ledger.settle(origin, [parcel]))[key]
    if origin.validate_only:
        await intake.ledger.keep_looked_at(parcel, outcome)
    return outcome


async def _slices(
    office: Office, one: Import, path: Path, sheets: list[SheetAt | None]
) -> AsyncIterator[list[FileRow]]:
    """The rows of a file, and the sheets they are of; the last slice is empty where sheets have no rows."""
    part, count, size = list[FileRow](), 0, 0
    async for kind, rest in lines(path, office.specification(one)):
        if kind == b"S":
            about = json.loads(rest)
            sheets += [None] * (about["place"] - len(sheets)) + [sheet_at(about)]
        elif kind in (b"R", b"F", b"J"):
            part.append(file_row(sheets, kind, rest))
            count, size = count + 1, size + len(rest)
            if len(part) == SLICE_ROWS or size > SLICE_BYTES:
                yield part
                part, size = [], 0
            if count % READ_AHEAD == 0:
                await asyncio.sleep(0)
    yield part


async def _gone(office: Office, one: Import, reading: Reading, seen: Mapping[str, set[str]]) -> list[RawRow]:
    """The deletions of what a complete file lacks of its source."""
    records, school, found = office.intake.records, office.one_school(one), list[RawRow]()
    for kind in seen if one.order.school_year else ():
        collection = _KIND_COLLECTIONS[kind]
        owned = await records.holdings(
            school=school, collection=collection, school_year=one.order.school_year, source=one.order.source
        )
        async for record in read_held(records, collection, school, sorted(owned.keys() - seen[kind])):
            if raw := reading.gone(kind, record.row.key, Stored(record.row, record.source)):
                found.append(raw)
    return found


def _deleted(raws: Iterable[RawRow]) -> dict[str, list[str]]:
    """The keys that rows delete, by collection."""
    keys: dict[str, list[str]] = {}
    for raw in raws:
        if isinstance(row := raw.row, Row) and row.deleted:
            keys.setdefault(COLLECTIONS[row.WhichOneof("record") or ""], []).append(row.key)
    return keys


def _said(raw: RawRow, row: FileRow | None) -> Raw:
    """What is said in a row, for what is wrong with it."""
    return {"DOI_TUONG": row.sheet.kind, **row.raw} if raw.veiled and row is not None else raw.raw()


def _place(row: FileRow | None, field: str) -> Text:
    if row is None:
        return problems.missing_row()
    if row.apart is not None:
        file, number, _, column = row.place(field)
        return file_at(file, number, column)
    return problems.cell_at(row.sheet.name, row.number)


def _located(row: FileRow | None, name: str) -> dict[str, str]:
    if row is None:
        return {}
    sheet, number, column, _ = row.place(name)
    return {"sheet": sheet[:100], "row": str(number)} | ({"column": column} if column else {})
