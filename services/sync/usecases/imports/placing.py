"""Whose rows a file holds: one that says it is everything of a school tells what that school lacks only where it is
that school's.
"""

from dataclasses import dataclass, field

from iocedu.records.v1.resources_pb2 import Row

from services.sync.convert.checks import FindSchool
from services.sync.convert.imports import FileRow
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
    """Which rows of what says it is everything are of the school it is for."""

    find: FindSchool
    placed: int = 0
    strangers: int = 0  # Rows that are refused for their school.
    said: list[str] = field(default_factory=list)  # The school of the first of them, as the file says it.

    def take(self, row: FileRow, made: Row | Unread) -> None:
        """Note a row."""
        flawed = row.apart is not None and SCHOOL in row.apart.flaws
        if not flawed and isinstance(self.find(made.school), int):
            self.placed += 1
            return
        self.strangers += 1
        if not self.said and not flawed:
            self.said.append(str(row.raw.get(SCHOOL) or made.school))


def placing_of(office: Office, one: Import) -> Placing:
    """For the rows of an import."""
    intake = office.intake
    return Placing(find_school(intake.scopes.tree, origin_of(one), intake.clock.today()))


def other_school(office: Office, one: Import, code: str) -> FileRefusedError:
    """A zip of everything that is another school's."""
    tree, today = office.intake.scopes.tree, office.intake.clock.today()
    own = tree.unit(one.order.unit_id)
    other = tree.unit(tree.resolve(f"moet:{code}", today) or 0)
    alias = tree.alias(one.order.unit_id, "moet", today) or str(one.order.unit_id)
    return refused.other_school(
        code, other.name if other else "", own_code=alias.removeprefix("moet:"), own=own.name if own else ""
    )
