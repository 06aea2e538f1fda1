"""A file is looked at before any of it is stored: what its sheets are, and what seems wrong with the whole."""

import asyncio
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.imports import FileRow, Reading, SheetAt, fact_of, file_row, held_of, sheet_at
from services.sync.domain.connections import KINDS as SCHOOLS
from services.sync.domain.imports import Import
from services.sync.domain.sheets import folded
from services.sync.domain.suspicions import Fact, Found, Suspicion, rule_on, suspicions
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import lines
from services.sync.usecases.imports.relating import is_open
from services.sync.usecases.imports.shelf import Shelf

MOST_FACTS: Final = 50_000  # Rows that are compared; no school has more in one file.
READ_AHEAD: Final = 200


@dataclass
class Examined:
    """What a file holds."""

    sheets: list[dict[str, Any]] = field(default_factory=list)
    row_count: int = 0
    suspicions: list[Suspicion] = field(default_factory=list)


async def examine(office: Office, one: Import, path: Path) -> Examined:
    """Look at a file; raises FileRefusedError where it is refused as a whole."""
    order, examined, facts = one.order, Examined(), list[Fact]()
    school = office.one_school(one)
    above: list[str] = []
    sheets: list[SheetAt | None] = []
    reading = reading_of(office, one)
    async for kind, rest in lines(path, office.specification(one)):
        if kind == b"S":
            about = json.loads(rest)
            at = sheet_at(about)
            sheets += [None] * (about["place"] - len(sheets)) + [at]
            above += [at.name, *at.above]
        elif kind == b"E":
            examined.sheets = json.loads(rest)
        else:
            examined.row_count += 1
            if school and len(facts) < MOST_FACTS and (fact := _fact(file_row(sheets, kind, rest), reading)):
                facts.append(fact)
            if examined.row_count % READ_AHEAD == 0:
                await asyncio.sleep(0)
    if school:
        known, told = [sheet for sheet in sheets if sheet is not None], {fact.collection for fact in facts}
        complete = {sheet.collection for sheet in known if sheet.holds_all(complete=order.complete)}
        complete &= told | {sheet.collection for sheet in known if sheet.complete}
        found = await _found(office, one, facts, school=school, above=above, complete=complete)
        rule = rule_on(office.intake.rules.suspicions, office.intake.clock.today().isoformat())
        examined.suspicions = suspicions(found, rule)
    return examined


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


def _fact(row: FileRow, reading: Reading) -> Fact | None:
    if is_open(row):
        return None
    made = reading.plain(row)
    if not isinstance(made, Row) or made.deleted:
        return None
    return fact_of(made, row, name=str(row.raw.get("HO_TEN", "")))


async def _found(
    office: Office, one: Import, facts: list[Fact], *, school: str, above: list[str], complete: set[str]
) -> Found:
    order, tree = one.order, office.intake.scopes.tree
    year = order.school_year or (facts[0].year if facts else 0)
    shelf = Shelf(school, year, keep=lambda _collection, row, source: held_of(row, source=source))
    collections = {fact.collection for fact in facts} | complete
    await shelf.fill(office.intake.records, collections | ({"pupils"} if "results" in collections else set()))
    unit = tree.unit(order.unit_id)
    units = tree.units(office.intake.clock.today())
    return Found(
        school_year=order.school_year,
        source=order.source,
        complete=complete,
        facts=facts,
        held={(collection, key): held for collection in collections for key, held in shelf.held[collection].items()},
        names={
            key.rpartition(".")[0] + f".{shelf.school_year}": held.name
            for key, held in shelf.held.get("pupils", {}).items()
        }
        if "results" in collections
        else {},
        grades_before=shelf.grades_before,
        above=above,
        own_names=(unit.name,) if unit else (),
        other_names={
            folded(other.name): other.name
            for other in units
            if other.kind in SCHOOLS and other.unit_id != order.unit_id and len(folded(other.name)) > 8
        },
    )
