"""What work on imports needs; opened by wiring."""

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field

from chassis.access import rule_of
from chassis.identity import Caller
from services.sync.convert.sheets.specification import Sheets
from services.sync.domain.connections import KINDS as SCHOOLS
from services.sync.domain.imports import KINDS, Import, Order
from services.sync.domain.tables import TableProfile
from services.sync.usecases.intake import Intake

CREATE = "iocedu.sync.v1.ImportsService/CreateImport"
LET_DISAPPEAR = "iocedu.sync.v1.QuarantineService/ConfirmDisappearance"


@dataclass(frozen=True)
class Office:
    """Where files are worked on."""

    intake: Intake
    profile: TableProfile
    sheets: Sheets
    most_bytes: int
    most_writing: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(2))  # Workbooks at once.
    most_receiving: asyncio.Semaphore = field(default_factory=lambda: asyncio.Semaphore(8))  # Files on their way in.
    rung: asyncio.Event = field(default_factory=asyncio.Event)  # Set when there is something to do in this process.

    def kinds(self, collection: str) -> Iterable[str]:
        """The types of record that a file may hold."""
        return [KINDS[collection]] if collection else self.sheets.kinds

    def specification(self, one: Import) -> bytes:
        """What the process is told that reads the file of an import."""
        order = one.order
        return self.sheets.specification(
            self.kinds(order.collection), school_year=order.school_year, one_school=bool(self.one_school(one))
        )

    def permitted(self, order: Order) -> bool:
        """Whether who uploaded a file still may."""
        return self._holds(order.subject, _roles(CREATE), order)

    def may_let_disappear(self, by: Caller, order: Order) -> bool:
        """Whether somebody may confirm that much of what is held is gone, as of a declaration of everything."""
        return self._holds(by.subject, by.among(_roles(LET_DISAPPEAR)), order)

    def _holds(self, subject: str, roles: frozenset[str], order: Order) -> bool:
        return self.intake.scopes.tree.may(subject, roles, order.unit_id, self.intake.clock.today())

    def one_school(self, one: Import) -> str:
        """The school a file is for, as records knows it; empty: it is for a unit above schools."""
        unit = self.intake.scopes.tree.unit(one.order.unit_id)
        return str(one.order.unit_id) if unit is not None and unit.kind in SCHOOLS else ""


def _roles(method: str) -> frozenset[str]:
    rule = rule_of(method)
    return rule.roles if rule else frozenset()
