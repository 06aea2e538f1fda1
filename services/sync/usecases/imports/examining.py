"""A file is looked at before any of it is stored: what its sheets are, and what seems wrong with the whole."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.imports import FileRow, Reading, SheetAt, fact_of, file_row, held_of, sheet_at
from services.sync.convert.rows import Unread
from services.sync.domain.connections import KINDS as SCHOOLS
from services.sync.domain.imports import Import
from services.sync.domain.sheets import folded
from services.sync.domain.suspicions import Fact, Found, Suspicion, rule_on, suspicions, unknown_classes
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import lines
from services.sync.usecases.imports.placing import Placing, other_school, placing_of
from services.sync.usecases.imports.relating import is_open
from services.sync.usecases.imports.shelf import Shelf

MOST_FACTS: Final = 50_000  # Rows that are compared; no school has more in one file.
READ_AHEAD: Final = 200
MOST_CLASSES: Final = 50  # Unknown classes that a sheet names.


@dataclass
class Examined:
    """What a file holds."""

    sheets: list[dict[str, Any]] = field(default_factory=list)
    row_count: int = 0
    suspicions: list[Suspicion] = field(default_factory=list)


@dataclass
class _Looked:
    """What is noted of the rows of a file for one school, to be compared."""

    reading: Reading
    placing: Placing
    complete: bool  # Whether who uploaded it says that it is.
    facts: list[Fact] = field(default_factory=list)
    there: dict[str, set[str]] = field(default_factory=dict)  # Keys of what is everything, by collection.

    def take(self, row: FileRow) -> None:
        """Note a row."""
        everything = row.sheet.holds_all(complete=self.complete)
        if not everything and len(self.facts) >= MOST_FACTS:
            return
        made = self.reading.plain(row)
        if everything:
            there, keys = self.there.setdefault(row.sheet.collection, set()), self.placing.take(row, made)
            if not (isinstance(made, Row) and made.deleted):
                there.update(keys)
        if len(self.facts) < MOST_FACTS and (fact := _fact(row, made)):
            self.facts.append(fact)


async def examine(office: Office, one: Import, path: Path) -> Examined:
    """Look at a file; raises FileRefusedError where it is refused as a whole."""
    examined, sheets = Examined(), list[SheetAt | None]()
    school = office.one_school(one)
    reading = reading_of(office, one)
    looked = _Looked(reading, placing_of(office, one, reading), one.order.complete)
    async for kind, rest in lines(path, office.specification(one)):
        if kind == b"S":
            about = json.loads(rest)
            sheets += [None] * (about["place"] - len(sheets)) + [sheet_at(about)]
        elif kind == b"E":
            examined.sheets = json.loads(rest)
        else:
            examined.row_count += 1
            if school:
                looked.take(file_row(sheets, kind, rest))
            if examined.row_count % READ_AHEAD == 0:
                await asyncio.sleep(0)
    if school:
        found = await _found(office, one, looked, [sheet for sheet in sheets if sheet is not None], school=school)
        found.unread = [about["name"] for about in examined.sheets if about.get("unread")]
        rule = rule_on(office.intake.rules.suspicions, office.intake.clock.today().isoformat())
        examined.suspicions = suspicions(found, rule)
        unknown = unknown_classes(found)
        for about in examined.sheets:
            if classes := unknown.get(about["name"]):
                about["unknown_classes"] = classes[:MOST_CLASSES]
            if unsure := looked.placing.unsure[about["name"], about.get("kind", "")]:
                about["unsure"] = unsure
    return examined


def _complete(office: Office, one: Import, looked: _Looked, sheets: list[SheetAt]) -> set[str]:
    """The collections of which a file holds everything; raises FileRefusedError where it is another school's."""
    placing = looked.placing
    if placing.said and not placing.placed and any(sheet.complete for sheet in sheets):
        raise other_school(office, one, placing.said[0])
    if placing.unsure:  # Nothing is deleted then.
        return set()
    return looked.there.keys() | {sheet.collection for sheet in sheets if sheet.complete}


def reading_of(office: Office, one: Import) -> Reading:
    """How rows of an import are made."""
    order = one.order
    return Reading(
        profile=office.profile,
        school=office.one_school(one),
        school_year=order.school_year,
        stage=order.stage,
        version=one.import_id,
        extra={name: frozenset(kind["extra"]) for name, kind in office.sheets.kinds.items()},
    )


def _fact(row: FileRow, made: Row | Unread) -> Fact | None:
    if is_open(row) or not isinstance(made, Row) or made.deleted:
        return None
    return fact_of(made, row, name=str(row.raw.get("HO_TEN", "")))


async def _found(office: Office, one: Import, looked: _Looked, sheets: list[SheetAt], *, school: str) -> Found:
    complete = _complete(office, one, looked, sheets)
    order, tree, facts = one.order, office.intake.scopes.tree, looked.facts
    year = order.school_year or (facts[0].year if facts else 0)
    shelf = Shelf(school, year, keep=lambda _collection, row, source: held_of(row, source=source))
    collections = {fact.collection for fact in facts} | complete
    beside = {"pupils": "classes", "results": "pupils"}  # What is read along with a collection.
    wanted = collections | {beside[collection] for collection in collections & beside.keys()}
    await shelf.fill(office.intake.records, wanted)
    unit = tree.unit(order.unit_id)
    units = tree.units(office.intake.clock.today())
    return Found(
        school_year=order.school_year,
        source=order.source,
        # What is restricted stands in no template: a file that is everything else lacks nothing.
        owned={
            collection: {key for key, held in shelf.held[collection].items() if held.source == order.source}
            for collection in (sorted(complete) if order.school_year else ())
        },
        there=looked.there,
        facts=facts,
        held={(collection, key): held for collection in collections for key, held in shelf.held[collection].items()},
        names={
            key.rpartition(".")[0] + f".{shelf.school_year}": held.name
            for key, held in shelf.held.get("pupils", {}).items()
        }
        if "results" in collections
        else {},
        grades_before=shelf.grades_before,
        classes=shelf.held.get("classes", {}).keys(),
        above=[text for sheet in sheets for text in (sheet.name, *sheet.above)],
        own_names=(unit.name,) if unit else (),
        other_names={
            folded(other.name): other.name
            for other in units
            if other.kind in SCHOOLS and other.unit_id != order.unit_id and len(folded(other.name)) > 8
        },
    )
