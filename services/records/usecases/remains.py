"""What is left of a person at a school, where and why: looked up anew each time, not told from what was to be done."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.bus import KEPT_SECONDS
from services.records.domain.data_requests import DataRequest, Kind
from services.records.domain.erasing import ErasureRules, Remain, Stand
from services.records.domain.objects import BY_COLLECTION, BY_NUMBER
from services.records.store import erasing, erasures
from services.records.store.erasures import Confirmation
from services.records.store.withheld import restrictions
from services.records.usecases.erasing import Plan, plan_deed


@dataclass(frozen=True, slots=True)
class Remains:
    """What is left, and who has confirmed."""

    remains: Sequence[Remain]
    confirmations: Sequence[Confirmation]
    deed_time: datetime | None

    @property
    def complete(self) -> bool:
        """Whether all that was to be done is: nothing is there that should not be, and everybody has confirmed."""
        return (
            self.deed_time is not None
            and all(one.now is one.planned for one in self.remains)
            and all(one.confirm_time is not None for one in self.confirmations)
        )


async def remains_of(
    connection: AsyncConnection, rules: ErasureRules, request: DataRequest, *, now: datetime, today: date
) -> Remains:
    """What is left of whom a request is about."""
    school_id, number = request.school_id, request.data_request_id
    spec = BY_COLLECTION[request.collection]
    deed = await erasures.deed_of(connection, school_id=school_id, data_request_id=number)
    noted = await erasures.noted_by(connection, school_id=school_id, data_request_id=number)
    own = sorted({request.key, *(one.key for one in noted if one.type == spec.number)})
    plan = await plan_deed(connection, rules, request, day=today, also=own)
    found = await _records(connection, plan, school_id=school_id)
    there = {(one.place, one.key) for one in found}
    gone = [(BY_NUMBER[one.type].collection, one) for one in noted if one.erased]
    found += [
        Remain(place, Stand.ERASED, Stand.ERASED, one.source, key=one.key)
        for place, one in gone
        if (place, one.key) not in there
    ]
    found += await _exceptions(connection, rules, plan, school_id=school_id, day=today)
    found += await _states(connection, rules, plan, school_id=school_id)
    found += await _transfers(connection, rules, request, plan)
    looks = await erasing.count_looks(connection, spec.collection, school_id=school_id, keys=plan.keys or own)
    found.append(Remain("access_log", Stand.RESTRICTED, Stand.RESTRICTED, rules.left["access_log"], number=looks))
    found.append(Remain("data_request", Stand.RESTRICTED, Stand.RESTRICTED, rules.left["data_request"]))
    if deed is not None and (expires := deed.deed_time + timedelta(seconds=KEPT_SECONDS)) > now:
        found.append(Remain("broker", Stand.RESTRICTED, Stand.RESTRICTED, rules.left["broker"], expires=expires))
    asked = await erasures.confirmations(connection, school_id=school_id, data_request_id=number)
    return Remains(found, asked, deed.deed_time if deed else None)


async def _records(connection: AsyncConnection, plan: Plan, *, school_id: int) -> list[Remain]:
    """The records themselves, with what is to become of each."""
    hidden = await restrictions(connection, [(school_id, one.spec.number, one.key) for one in plan.deeds])
    return [
        Remain(
            one.spec.collection,
            Stand.RESTRICTED if (school_id, one.spec.number, one.key) in hidden else Stand.PRESENT,
            Stand.ERASED if one.erased else Stand.RESTRICTED,
            one.source,
            key=one.key,
            school_year=one.school_year,
            dropped=one.dropped,
        )
        for one in plan.deeds
    ]


async def _exceptions(
    connection: AsyncConnection, rules: ErasureRules, plan: Plan, *, school_id: int, day: date
) -> list[Remain]:
    """Registers, and what these were, that name the person."""
    found = []
    for spec, registers in plan.registers.items():
        rule = rules.rule_of(spec.collection, "", day)
        states = await erasing.states_naming(connection, spec, school_id=school_id, keys=plan.named)
        count = len(registers) + states
        stand = Stand.PRESENT if count else Stand.ERASED
        found.append(
            Remain(f"{spec.collection}_exceptions", stand, Stand.ERASED, rule.source if rule else "", number=count)
        )
    return found


async def _transfers(
    connection: AsyncConnection, rules: ErasureRules, request: DataRequest, plan: Plan
) -> list[Remain]:
    """Transfers of the person, which end, and lose their words where data are to be erased."""
    count, running, worded = await erasing.count_transfers(
        connection, school_id=request.school_id, keys=plan.handed_over
    )
    if not count:
        return []
    open_still = running or (worded and request.kind is Kind.ERASURE)
    stand = Stand.PRESENT if open_still else Stand.RESTRICTED
    return [Remain("transfers", stand, Stand.RESTRICTED, rules.left["transfers"], number=count)]


async def _states(connection: AsyncConnection, rules: ErasureRules, plan: Plan, *, school_id: int) -> list[Remain]:
    """What the records were, of those that are kept and of those that are not, as far as anything is left."""
    found = []
    for erased, planned in ((True, Stand.ERASED), (False, Stand.RESTRICTED)):
        count = 0
        hidden = 0
        for spec, deeds in plan.by_type(erased=erased).items():
            keys = [one.key for one in deeds]
            count += await erasing.count_states(connection, spec, school_id=school_id, keys=keys)
            hidden += len(await restrictions(connection, [(school_id, spec.number, key) for key in keys]))
        if count:
            stand = Stand.RESTRICTED if not erased and hidden else Stand.PRESENT
            found.append(Remain("history", stand, planned, rules.left["history"], number=count))
    return found
