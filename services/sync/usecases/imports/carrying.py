"""The rows of a file are carried to records in slices, each a batch of its own whose id is made from import and slice.

A run that is lost between two steps is gone on with by another: what was carried is known by its batch id.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from iocedu.records.v1 import held_records_pb2
from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import sync_pb2

from services.sync.convert.documents import RawRow
from services.sync.convert.imports import FileRow, Reading, SheetAt, Stored, file_row, sheet_at
from services.sync.convert.rows import Checked
from services.sync.domain import problems
from services.sync.domain.batches import BatchKey, Origin, digest_of
from services.sync.domain.imports import KINDS, SLICE_BYTES, SLICE_ROWS, Import
from services.sync.domain.words import Text
from services.sync.usecases.imports.examining import READ_AHEAD, reading_of
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import lines
from services.sync.usecases.imports.shelf import Shelf
from services.sync.usecases.intake import apply, checking
from services.sync.usecases.partner_connections import admitted
from services.sync.usecases.sandboxes import on_trial
from services.sync.usecases.settling import Parcel

Note = Callable[[int, sync_pb2.Outcome], Awaitable[None]]  # Slices carried by now, and the last one's outcome.
HELD_AT_ONCE: Final = 250  # Records read in one call: a message carries 16 MB.
_KIND_COLLECTIONS: Final = {kind: collection for collection, kind in KINDS.items()}


@dataclass
class _Slice:
    rows: list[FileRow | None] = field(default_factory=list)
    raws: list[RawRow] = field(default_factory=list)  # Of deletions; rows of the file are made when it is carried.


async def carry(office: Office, one: Import, path: Path, *, note: Note) -> None:
    """Carry all rows that are not yet, telling of each slice; raises FileRefusedError and what records answers."""
    number, reading = 0, reading_of(office, one)
    async for part in _slices(office, one, path):
        if part.raws:
            # What a lost run deleted is not listed again: these are known by what they delete, not by their number.
            name = f"gone-{digest_of(*(raw.content for raw in part.raws)).hex()}"
            await note(number, await push_slice(office, one, part.raws, part.rows, name=name))
            continue
        number += 1
        if number <= one.slices_done:
            continue
        raws = await _made(office, reading, [row for row in part.rows if row is not None])
        await note(number, await push_slice(office, one, raws, part.rows, name=f"{number:06d}"))


async def _made(office: Office, reading: Reading, rows: Sequence[FileRow]) -> list[RawRow]:
    """The records of a slice of a file, over what is held of them."""
    wanted: dict[str, list[tuple[int, Row]]] = {}
    for at, row in enumerate(rows):
        if not row.flaws and isinstance(plain := reading.plain(row), Row):
            wanted.setdefault(row.sheet.collection, []).append((at, plain))
    held: dict[int, Stored] = {}
    for collection, found in wanted.items():
        for start in range(0, len(found), HELD_AT_ONCE):
            part = found[start : start + HELD_AT_ONCE]
            names = [held_records_pb2.RecordName(school=row.school, key=row.key) for _, row in part]
            request = held_records_pb2.ReadRecordsRequest(collection=collection, names=names)
            for one in (await office.intake.records.held(request)).held:
                held[part[one.place][0]] = Stored(one.record.row, one.record.source)
    raws: list[RawRow] = []
    for at, row in enumerate(rows):
        raws.append(reading.raw_row(row, held.get(at)))
        if at % READ_AHEAD == 0:
            await asyncio.sleep(0)
    return raws


async def push_slice(
    office: Office, one: Import, raws: Sequence[RawRow], rows: Sequence[FileRow | None], *, name: str
) -> sync_pb2.Outcome:
    """Carry a slice, or tell again what became of it."""
    intake = office.intake
    origin = await admitted(intake, origin_of(one), one.order.subject)
    origin = await on_trial(intake, origin, self_signed=False)
    key, digest = BatchKey(origin.unit_id, origin.source, one.batch_prefix + name), digest_of(one.digest, name.encode())
    known = (await intake.ledger.recall({key: digest}, trial=origin.trial)).get(key)
    if known is not None:
        return known
    how = checking(
        intake,
        origin,
        content=lambda index: raws[index].content.decode(errors="replace"),
        called=lambda index, path: office.profile.called(path, raws[index].raw()),
        place=lambda index: _place(rows[index]),
        document=True,
        careful=any(b"\\u0000" in raw.content for raw in raws),
        located=lambda index, field: _located(rows[index], field),
    )
    checked = Checked(how)
    await checked.add_all([raw.row for raw in raws])
    told = digest_of(key.batch_id.encode(), *(raw.content for raw in raws))
    await apply(intake, origin, [checked], batch=told)
    return (await intake.ledger.settle(origin, [Parcel(key, digest, [checked])]))[key]


def origin_of(one: Import) -> Origin:
    """Where rows of an import come from."""
    order = one.order
    return Origin(str(order.unit_id), order.unit_id, order.source, order.backfill, "moet")


async def _slices(office: Office, one: Import, path: Path) -> AsyncIterator[_Slice]:
    """The rows of a file; after them, of a complete one, the deletions of what it lacks."""
    reading = reading_of(office, one)
    sheets: list[SheetAt | None] = []
    part, seen, read, size = _Slice(), dict[str, set[str]](), 0, 0
    async for kind, rest in lines(path, office.sheets.specification(office.kinds(one.order.collection))):
        if kind == b"S":
            about = json.loads(rest)
            sheets += [None] * (about["place"] - len(sheets)) + [sheet_at(about)]
        elif kind in (b"R", b"F"):
            row = file_row(sheets, kind, rest)
            if one.order.complete:
                seen.setdefault(row.sheet.kind, set()).add(reading.plain(row).key)
            part.rows.append(row)
            read, size = read + 1, size + len(rest)
            if len(part.rows) == SLICE_ROWS or size > SLICE_BYTES:
                yield part
                part, size = _Slice(), 0
            if read % READ_AHEAD == 0:
                await asyncio.sleep(0)
    if part.rows:
        yield part
    gone = await _gone(office, one, reading, seen) if one.order.complete else []
    for start in range(0, len(gone), SLICE_ROWS):
        raws = gone[start : start + SLICE_ROWS]
        yield _Slice([None] * len(raws), raws)


async def _gone(office: Office, one: Import, reading: Reading, seen: Mapping[str, set[str]]) -> list[RawRow]:
    shelf, found = Shelf(office.one_school(one), one.order.school_year), list[RawRow]()
    await shelf.fill(office.intake.records, [_KIND_COLLECTIONS[kind] for kind in seen])
    for kind, keys in seen.items():
        for key, stored in sorted(shelf.held[_KIND_COLLECTIONS[kind]].items()):
            if key not in keys and stored.source == one.order.source and (raw := reading.gone(kind, key, stored)):
                found.append(raw)
    return found


def _place(row: FileRow | None) -> Text:
    return problems.cell_at(row.sheet.name, row.number) if row else problems.missing_row()


def _located(row: FileRow | None, name: str) -> dict[str, str]:
    if row is None:
        return {}
    column = next(iter(row.flaws), "") or row.column(name)
    return {"sheet": row.sheet.name[:100], "row": str(row.number)} | ({"column": column} if column else {})
