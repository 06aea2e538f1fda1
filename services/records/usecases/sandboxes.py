"""Sandboxes made and emptied.

The units of a sandbox are told to services by the scopes alone: no event tells of them, so that nobody counts them.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.forest import Forest
from services.records.domain.grants import GrantDraft
from services.records.domain.spans import Span
from services.records.domain.units import ADMINISTRATIVE, SANDBOX, Code, Name, ParentRef, UnitDraft
from services.records.store import bulk, grants, sandboxes, scopes, units

SCHOOLS: Final = ("Trường thử nghiệm 1", "Trường thử nghiệm 2")
INTEGRATOR: Final = "integrator"
SYSTEM: Final = "sandbox"


@dataclass(frozen=True, slots=True)
class Place:
    """A school of a sandbox, as it is told."""

    unit_id: int
    alias: str
    name: str


@dataclass(frozen=True, slots=True)
class Opened:
    """A sandbox, as it is told."""

    root_id: int
    schools: tuple[Place, ...]
    fresh: bool


async def open_sandbox(connection: AsyncConnection, subject: str, *, today: date, now: datetime) -> Opened:
    """Make the sandbox of a subject, unless there is one."""
    await units.lock_forest(connection)
    present = await sandboxes.sandbox_of(connection, subject)
    if present is not None:
        return Opened(present.root_id, _places(present.root_id, present.school_ids), fresh=False)
    always, ids = Span(), list(await units.next_unit_ids(connection, len(SCHOOLS) + 1))
    root = UnitDraft(
        SANDBOX, always, [Name(f"Môi trường thử {subject}", always)], [Code(SYSTEM, subject, always)], [], [], [SANDBOX]
    )
    schools = [
        UnitDraft(
            "school",
            always,
            [Name(name, always)],
            [Code("moet", alias.removeprefix("moet:"), always)],
            [ParentRef(f"{SYSTEM}:{subject}", ADMINISTRATIVE, always)],
            [],
            [SANDBOX],
        )
        for name, alias in zip(SCHOOLS, _aliases(ids[0]), strict=True)
    ]
    forest = Forest(await units.load_units(connection))
    additions = forest.plan([root, *schools], ids=iter(ids))
    made = [one.unit_id for one in additions.units]
    assert made == ids, "the units of a sandbox are new"
    await units.add_units(connection, additions)
    await sandboxes.keep_sandbox(connection, subject, made[0], made[1:], now=now)
    draft = GrantDraft(subject, INTEGRATOR, made[0], ADMINISTRATIVE, Span(today, None))
    await grants.add_grant(connection, draft, created_by="service:sync", now=now)
    await scopes.raise_scope_version(connection)
    return Opened(made[0], _places(made[0], made[1:]), fresh=True)


async def reset_sandbox(connection: AsyncConnection, subject: str) -> int:
    """Empty the sandbox of a subject; nothing where there is none. Returns how many records are gone."""
    present = await sandboxes.sandbox_of(connection, subject)
    if present is None:
        return 0
    await bulk.lock_schools(connection, present.school_ids)
    return await sandboxes.empty(connection, subject)


def _places(root_id: int, school_ids: Sequence[int]) -> tuple[Place, ...]:
    return tuple(Place(*each) for each in zip(school_ids, _aliases(root_id), SCHOOLS, strict=True))


def _aliases(root_id: int) -> list[str]:
    """What rows name the schools by: codes of at most 15 letters, as the ministry's are, that no real school has."""
    return [f"moet:tn{root_id}-{number}" for number, _ in enumerate(SCHOOLS, 1)]
