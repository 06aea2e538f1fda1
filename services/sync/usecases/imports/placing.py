"""Whose rows a file holds: one that says it is everything of a school tells what that school lacks only where it is
that school's, and where each row says which record it is.
"""

from collections import Counter
from dataclasses import dataclass, field

from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.checks import FindSchool
from services.sync.convert.imports import FileRow, Reading, keys_of
from services.sync.convert.rows import Unread
from services.sync.convert.sheets import refused
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.domain.batches import Origin
from services.sync.domain.imports import Import
from services.sync.usecases.imports.office import Office
from services.sync.usecases.intake import find_school

SCHOOL = "TRUONG_ID"


def origin_of(one: Import) -> Origin:
    """Where rows of an import come from."""
    order = one.order
    return Origin(
        str(order.unit_id), order.unit_id, order.source, order.backfill, "moet", validate_only=order.validate_only
    )


@dataclass
class Placing:
    """Which records of the school it is for the rows are of what says it is everything."""

    find: FindSchool
    reading: Reading
    placed: int = 0
    # Rows of which it cannot be told which record of which school they are, by name and type of their sheet.
    unsure: Counter[tuple[str, str]] = field(default_factory=Counter)
    said: list[str] = field(default_factory=list)  # The school of the first of them, as the file says it.

    def take(self, row: FileRow, made: Row | Unread) -> tuple[str, ...]:
        """Note a row; returns the keys of the record it is of, none where that cannot be told."""
        flawed = row.apart is not None and SCHOOL in row.apart.flaws
        placed, record = not flawed and isinstance(self.find(made.school), int), self.reading.record_of(row, made)
        self.placed += placed
        if not placed or record is None:
            self.unsure[row.sheet.name, row.sheet.kind] += 1
        if not (placed or flawed or self.said):
            self.said.append(str(row.raw.get(SCHOOL) or made.school))
        return () if record is None else keys_of(record)


def placing_of(office: Office, one: Import, reading: Reading) -> Placing:
    """For the rows of an import."""
    intake = office.intake
    return Placing(find_school(intake.scopes.tree, origin_of(one), intake.clock.today()), reading)


def other_school(office: Office, one: Import, code: str) -> FileRefusedError:
    """A zip of everything that is another school's."""
    tree, today = office.intake.scopes.tree, office.intake.clock.today()
    own = tree.unit(one.order.unit_id)
    other = tree.unit(tree.resolve(f"moet:{code}", today) or 0)
    alias = tree.alias(one.order.unit_id, "moet", today) or str(one.order.unit_id)
    return refused.other_school(
        code, other.name if other else "", own_code=alias.removeprefix("moet:"), own=own.name if own else ""
    )
