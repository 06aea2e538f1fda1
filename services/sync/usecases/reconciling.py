"""Compares schools with a destination: digests of each school and object first, records only where these differ.

What is found is kept with the names of fields and without their values. Refuses destinations that cannot be asked what
they hold.
"""

import asyncio
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from chassis.errors import Fault, Kind
from services.sync.clients.ministry import Ministry
from services.sync.convert.outgoing import Form, compose, form_of
from services.sync.domain import comparing
from services.sync.domain.comparing import DifferenceKind, Match
from services.sync.domain.composing import CompositionError, Content
from services.sync.domain.deliveries import HeldThere, SchoolRefusedError, UnreachableError
from services.sync.domain.destinations import Destination, PushState
from services.sync.domain.pushes import Difference, Reconciliation
from services.sync.store import outgoing, pushes
from services.sync.store import reconciliations as store
from services.sync.store.reconciliations import Held
from services.sync.usecases.pushing import Pushing
from services.sync.usecases.refusals import unknown_reconciliation

AT_ONCE: Final = 4  # Groups compared record by record at a time.
DIGEST_SPACE: Final = 2**64
ON_THE_WAY: Final = frozenset({PushState.AWAITING_COMPOSITION, PushState.QUEUED, PushState.TO_REPEAT})
PEOPLE: Final = frozenset({2, 4})  # Staff and pupils can be recognised by name and date of birth.


@dataclass(frozen=True)
class Comparison:
    """One comparison under way."""

    pushing: Pushing
    destination: Destination
    ministry: Ministry
    department: str
    form: Form
    match: Match


async def reconcile(
    pushing: Pushing, destination: Destination, *, unit_id: int, department: str, match: Match
) -> Reconciliation:
    """Compare the schools below a unit, keep what differs, and return the comparison."""
    ministry = pushing.outlets.asked(destination)
    if ministry is None:
        raise _not_comparable(destination.code)
    comparison = Comparison(pushing, destination, ministry, department, form_of(destination.kind), match)
    try:
        return await _compared(comparison, unit_id)
    except (UnreachableError, SchoolRefusedError) as error:
        vi, en = f"Chưa đối soát được: {error.vi}", f"Nothing was compared: {error.en}"
        if isinstance(error, UnreachableError):  # Nobody compares again by itself, unlike what is sent.
            vi, en = f"{vi} Hãy đối soát lại sau.", f"{en} Compare again later."
        raise Fault(
            Kind.UNAVAILABLE,
            "DESTINATION_UNREACHABLE",
            vi=vi,
            en=en,
            metadata={"destination": destination.code, "cause": error.reason},
        ) from error


async def _compared(comparison: Comparison, unit_id: int) -> Reconciliation:
    pushing, code = comparison.pushing, comparison.destination.code
    began, today = pushing.clock.now(), pushing.clock.today()
    below = pushing.scopes.tree.subtree(unit_id, today)
    async with pushing.database.connection() as reads:
        schools = await pushes.school_ids(reads, code, below)
        ours = {(one.school_id, one.type): one for one in await store.groups(reads, code, schools)}
    theirs = await _their_groups(comparison, schools)
    differing = [
        place
        for place in sorted(ours.keys() | theirs.keys())
        if place not in ours
        or ours[place].uncomposed
        or theirs.get(place) != (ours[place].count, ours[place].digest % DIGEST_SPACE)
    ]
    gate = asyncio.Semaphore(AT_ONCE)

    async def descend(school_id: int, number: int) -> list[Difference]:
        async with gate:
            return await _descend(comparison, school_id, number)

    found = [one for part in await asyncio.gather(*(descend(*place) for place in differing)) for one in part]
    counted = {kind: sum(one.kind == kind for one in found) for kind in DifferenceKind}
    made = Reconciliation(
        reconciliation_id=0,
        destination=code,
        unit_id=unit_id,
        school_count=len(schools),
        group_count=len(ours.keys() | theirs.keys()),
        # What arrived between the digests and the records made a group differ that does not.
        differing_group_count=len({(one.school_id, one.type) for one in found}),
        record_count=sum(one.count for one in ours.values()),
        missing_there_count=counted[DifferenceKind.MISSING_THERE],
        missing_here_count=counted[DifferenceKind.MISSING_HERE],
        differing_count=counted[DifferenceKind.DIFFERING],
        on_the_way_count=sum(one.on_the_way for one in found),
        create_time=began,
        end_time=pushing.clock.now(),
    )
    async with pushing.database.transaction() as writes:
        return await store.add(writes, made, found, schools)


async def _their_groups(comparison: Comparison, schools: Collection[int]) -> dict[tuple[int, int], tuple[int, int]]:
    """Count and digest of each group the destination holds of these schools; groups that are empty left out."""
    numbers = {composer.object: number for number, composer in comparison.form.composers.items()}
    ids = {code: school_id for school_id in schools if (code := _code(comparison.pushing, school_id))}
    found: dict[tuple[int, int], tuple[int, int]] = {}
    async for school, kind, count, digest in comparison.ministry.groups(comparison.department):
        if school in ids and kind in numbers and count:
            found[ids[school], numbers[kind]] = count, digest
    return found


async def _descend(comparison: Comparison, school_id: int, number: int) -> list[Difference]:
    """Compare a school's records of one type one by one."""
    code = comparison.destination.code
    async with comparison.pushing.database.connection() as reads:
        held = {str(one.record_id): one for one in await store.held(reads, code, school_id, number)}
        leaving = await store.leaving(reads, code, school_id, number)
    school, kind = _code(comparison.pushing, school_id), comparison.form.object_of(number)
    there = await comparison.ministry.records(comparison.department, school, kind) if school else []
    theirs = {one.record_id: one for one in there}
    missing_there, missing_here, differing = comparing.compare(
        {record_id: one.digest for record_id, one in held.items()},
        {record_id: one.digest for record_id, one in theirs.items()},
    )
    ours_of = await _our_contents(comparison, school_id, number, [held[one] for one in [*missing_there, *differing]])
    asked = [*differing, *missing_here] if number in PEOPLE else differing
    theirs_of = await comparison.ministry.contents(comparison.department, asked) if asked else {}
    pairs: dict[str, str] = {}
    if number in PEOPLE:
        pairs = comparing.matched(
            [(one, ours_of.get(one, {})) for one in missing_there],
            [(one, theirs_of.get(one, {})) for one in missing_here],
            comparison.match,
        )
    found = [
        _difference(DifferenceKind.MISSING_THERE, school_id, held[one], matched=pairs.get(one, ""))
        for one in missing_there
    ]
    found += [_missing_here(school_id, number, theirs[one], leaving, held, pairs) for one in missing_here]
    for one in differing:
        fields = comparing.differing_fields(ours_of.get(one, {}), theirs_of.get(one, {}))
        if fields:
            version = theirs[one].version
            found.append(
                _difference(DifferenceKind.DIFFERING, school_id, held[one], fields=tuple(fields), version=version)
            )
    return found


async def _our_contents(comparison: Comparison, school_id: int, number: int, wanted: list[Held]) -> dict[str, Content]:
    """What ought to be there of some records, by record id; what cannot be composed is empty."""
    if not wanted:
        return {}
    async with comparison.pushing.database.connection() as reads:
        keys = [one.key for one in wanted]
        rows = await store.rows(reads, comparison.destination.code, school_id, number, keys)
    found: dict[str, Content] = {}
    for one in wanted:
        try:
            content = compose(comparison.form, number, rows[one.key], key=one.key)
        except CompositionError:
            content = {}
        found[str(one.record_id)] = content
    return found


def _difference(
    kind: DifferenceKind,
    school_id: int,
    held: Held,
    *,
    fields: tuple[str, ...] = (),
    matched: str = "",
    version: int = 0,
) -> Difference:
    return Difference(
        school_id,
        held.type,
        int(kind),
        str(held.record_id),
        held.key,
        fields,
        matched,
        held.state in ON_THE_WAY,
        version,
    )


def _missing_here(
    school_id: int,
    number: int,
    there: HeldThere,
    leaving: dict[str, str],
    held: dict[str, Held],
    pairs: dict[str, str],
) -> Difference:
    partner = pairs.get(there.record_id, "")
    matched = held[partner].key if partner in held else ""
    kind, key = int(DifferenceKind.MISSING_HERE), leaving.get(there.record_id, "")
    return Difference(
        school_id, number, kind, there.record_id, key, (), matched, there.record_id in leaving, there.version
    )


async def repair(pushing: Pushing, reconciliation_id: int, schools: Collection[int]) -> int:
    """Push exactly those records again that a comparison found missing there or differing; returns how many."""
    async with pushing.database.transaction() as writes:
        found = await store.reconciliation(writes, reconciliation_id)
        if found is None:
            raise unknown_reconciliation(reconciliation_id)
        now: datetime = pushing.clock.now()
        repeated = await outgoing.repair(writes, found.destination, reconciliation_id, schools, now=now)
    pushing.stirred.set()
    return repeated


def _code(pushing: Pushing, school_id: int) -> str:
    alias = pushing.scopes.tree.alias(school_id, "moet", pushing.clock.today())
    return alias.partition(":")[2] if alias else ""


def _not_comparable(code: str) -> Fault:
    return Fault(
        Kind.CONFLICT,
        "NOT_COMPARABLE",
        vi=f"Nơi nhận “{code}” không cho hỏi dữ liệu đang có nên không đối soát được.",
        en=f"The destination “{code}” cannot be asked what it holds, and so is not compared.",
        metadata={"destination": code},
    )
