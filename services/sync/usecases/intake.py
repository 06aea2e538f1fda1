"""Takes batches in: known again, checked, handed to records, and settled in one transaction of our own.

Records' answer comes before our commit and no transaction is open while it works. A crash between the two is harmless:
the sender has no answer and repeats, the slice has the same request id, records answers the same.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from iocedu.records.v1 import records_pb2
from iocedu.records.v1.resources_pb2 import Row

from chassis.clock import Clock
from chassis.database import Database
from chassis.scope_tree import EVERY_UNIT, ScopeTree
from chassis.scopes import Scopes
from services.sync.clients.records import Records
from services.sync.convert import answers
from services.sync.convert.checks import Check, FindSchool
from services.sync.convert.rows import SLICE, Checked, content_of
from services.sync.convert.rules import Rules
from services.sync.convert.showing import shown
from services.sync.domain import problems
from services.sync.domain.batches import MOST_BATCH_IDS, MOST_ROWS, Origin, cuts, request_id
from services.sync.domain.partners import SANDBOX
from services.sync.domain.problems import Called
from services.sync.domain.profiles import Profile
from services.sync.domain.retelling import Told
from services.sync.domain.words import Text
from services.sync.usecases import refusals
from services.sync.usecases.settling import Ledger, unit_called


@dataclass(frozen=True)
class Intake:
    """What receiving needs; opened by wiring."""

    database: Database
    ledger: Ledger
    records: Records
    scopes: Scopes
    clock: Clock
    profiles: Mapping[str, Profile]
    rules: Rules

    def places_below(self, unit_id: int) -> frozenset[int]:
        """A unit and all below it, as far as what came for them is looked at; of unit 0 also what has ended and what
        names no school, and no sandbox.
        """
        tree = self.scopes.tree
        if unit_id == EVERY_UNIT:
            return tree.without(SANDBOX) | {EVERY_UNIT}
        return tree.subtree(unit_id, self.clock.today())


def checking_rows(intake: Intake, origin: Origin, rows: Sequence[Row], *, careful: bool) -> Check:
    """How rows of a message are checked: they come in our own names, and their senders count from 0."""
    return checking(
        intake,
        origin,
        content=lambda index: content_of(rows[index]),
        called=lambda _index, path: problems.own(path),
        place=problems.row_at,
        careful=careful,
    )


def checking(
    intake: Intake,
    origin: Origin,
    *,
    content: Callable[[int], str],
    called: Callable[[int, str], Called],
    place: Callable[[int, str], Text],
    document: bool = False,
    careful: bool = False,
    located: Callable[[int, str], Mapping[str, str]] | None = None,
) -> Check:
    """How rows of a batch are checked; `content`, `called` and `place` are of the row at an index in the batch."""
    today, tree = intake.clock.today(), intake.scopes.tree

    def named(ref: str) -> str:
        return unit_called(tree, tree.resolve(ref, today) or EVERY_UNIT, today) or ref

    return Check(
        school=find_school(tree, origin, today),
        named=named,
        unit=unit_called(tree, _narrower(tree, origin, today), today) or origin.unit,
        content=content,
        called=called,
        place=place,
        rules=intake.rules.on(today),
        document=document,
        careful=careful,
        located=located,
        records=origin.records,
    )


def find_school(tree: ScopeTree, origin: Origin, day: date) -> FindSchool:
    """A function that finds the school behind a reference within what rows may be of, each looked up once."""
    inside, found = tree.subtree(origin.unit_id, day), dict[str, int | str]()
    if origin.within_id is not None:
        inside &= tree.subtree(origin.within_id, day)

    def find(school: str) -> int | str:
        known = found.get(school)
        if known is None:
            school_id = tree.resolve(school, day)
            if not school_id:
                known = problems.UNKNOWN_SCHOOL
            else:
                known = school_id if school_id in inside else problems.SCHOOL_OUTSIDE_UNIT
            found[school] = known
        return known

    return find


def _narrower(tree: ScopeTree, origin: Origin, day: date) -> int:
    """Of the units that rows have to lie below the lower one."""
    asked = origin.within_id
    return asked if asked is not None and asked in tree.subtree(origin.unit_id, day) else origin.unit_id


async def apply(
    intake: Intake,
    origin: Origin,
    parts: Sequence[Checked],
    *,
    batch: bytes,
    batch_ids: Sequence[str],
    full_copy: records_pb2.FullCopy | None = None,
) -> None:
    """Hand the good rows to records, in calls of at most 5,000, and let each part take its answers.

    `batch_ids` are those under which the rows came; records keeps them with the history. What was told completely goes
    along with the first call, or in one of its own. Of a batch that is stored whole or not at all, of which a row is
    refused here, records only looks at the others.
    """
    rows = parts[0].rows if len(parts) == 1 else [row for part in parts for row in part.rows]
    refused = [noted.index for part in parts for noted in part.noted]
    stopped = origin.atomic and bool(refused)
    runs = list(cuts([row.ByteSize() for row in rows]))
    if origin.atomic and (len(runs) > 1 or sum(len(part.states) for part in parts) > MOST_ROWS):
        raise refusals.too_large_to_be_atomic()
    brought = records_pb2.Brought(unit_id=origin.unit_id, batch_ids=batch_ids[:MOST_BATCH_IDS])
    if full_copy is not None and not runs:
        runs = [(0, 0)]
    states: list[int] = []
    told: list[Told] = []
    for number, (start, end) in enumerate(runs):
        request = records_pb2.ApplyRowsRequest(
            request_id=request_id(origin, batch=batch, number=number, refused=refused),
            source=origin.source,
            backfill=origin.backfill,
            validate_only=origin.validate_only or stopped,
            atomic=origin.atomic,
            brought=brought,
            full_copy=full_copy if number == 0 else None,
        )
        for first in range(start, end, SLICE):
            request.rows.extend(rows[first : min(first + SLICE, end)])
            await asyncio.sleep(0)
        answer = await intake.records.apply(request)
        states += answer.states
        told += [one.shifted(start) for one in answers.told(answer)]
        await asyncio.sleep(0)
    start = 0
    for part in parts:
        end = start + len(part.rows)
        own = [one.shifted(-start) for one in told if start <= one.place < end]
        sent = list(zip(part.indexes, part.rows, strict=True)) if origin.trial else []
        part.answer(states[start:end], own, stopped=stopped)
        if origin.trial:
            part.shown = shown(part, sent)
        start = end
