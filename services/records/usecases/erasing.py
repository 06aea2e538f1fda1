"""Granted erasures and objections carried out: one transaction a request, which a crash repeats whole.

It takes the turn of who links persons first and the schools' locks after it, like the linker. Whoever was storing rows
of the school has committed before, and whoever comes later sees what is erased; what is on its way in the outbox leaves
before the event that asks other services, so that these have it all behind them when they confirm.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any, Final

import structlog
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import outbox
from chassis.clock import Clock
from chassis.database import Database
from chassis.logs import said
from chassis.outbox import Outgoing
from services.records.convert.erasing import Alter, altered_rows, erase_row, erasures_requested
from services.records.convert.events import RECORDS_CHANGED, pack_changes
from services.records.convert.incoming import column_values
from services.records.convert.withholding import drop_exceptions, drop_fields
from services.records.domain.data_requests import CENTRE, DataRequest, Kind, State, completed
from services.records.domain.erasing import ATTENDANCE, Deed, ErasureRules, Identity, Said, deed_of
from services.records.domain.objects import BY_COLLECTION, BY_NUMBER, DELETED, ObjectSpec
from services.records.domain.persons import PERSONS, PUPIL
from services.records.store import bulk, data_requests, erasing, erasures, persons
from services.records.store.lookup import records_by_key
from services.records.store.sandboxes import sandboxed
from services.records.store.withheld import restrictions
from services.records.usecases.data_requests import held_request, not_now
from services.records.usecases.persons import count_once
from services.records.usecases.transfers import end_transfers

ERASURES_REQUESTED: Final = "erasures-requested"
TRY_AGAIN: Final = timedelta(minutes=1)  # How long a request that failed lets the others go first.

log = structlog.get_logger(__name__)


@dataclass(slots=True)
class Plan:
    """What a request does, before it is done."""

    deeds: list[Deed] = field(default_factory=list)
    registers: dict[ObjectSpec, list[str]] = field(default_factory=dict)  # whose exceptions go
    named: list[str] = field(default_factory=list)  # the keys that these exceptions name
    keys: list[str] = field(default_factory=list)  # of the persons' own records, whatever becomes of them
    unsaid: list[str] = field(default_factory=list)  # of these, those of which no more is left than whose they were
    handed_over: list[str] = field(default_factory=list)  # of these, those of pupils whose transfers end

    def by_type(self, *, erased: bool) -> Mapping[ObjectSpec, list[Deed]]:
        """What is erased, or else restricted, by type."""
        found: dict[ObjectSpec, list[Deed]] = defaultdict(list)
        for deed in self.deeds:
            if deed.erased is erased:
                found[deed.spec].append(deed)
        return found


async def plan_deed(
    connection: AsyncConnection,
    rules: ErasureRules,
    request: DataRequest,
    *,
    day: date,
    also: Sequence[str] = (),
) -> Plan:
    """What a request is to do: to all records of the person at the school, and all that name them.

    `also` are keys that are known to be the person's though nothing says so any more.
    """
    spec, school_id = BY_COLLECTION[request.collection], request.school_id
    plan = Plan()
    if spec not in PERSONS:
        await _plan_named(connection, rules, request, plan, only=request.key, day=day)
        return plan
    keys = await erasing.keys_of_person(connection, spec, school_id=school_id, key=request.key)
    plan.keys = sorted({*keys, *also})
    said = await erasing.said_of(connection, spec, school_id=school_id, keys=plan.keys)
    own = {
        key: deed
        for key, one in said.items()
        if (deed := deed_of(rules, request.kind, spec, key, one, day=day)) is not None
    }
    plan.deeds += own.values()
    # What was under a key of before may be forgotten, and still be named by a result: the law may keep it.
    kept_most = min(own.values(), key=lambda deed: deed.erased, default=None)
    if request.kind is Kind.ERASURE and (kept_most is None or kept_most.erased):
        plan.unsaid = [key for key in plan.keys if key not in said]
    if spec is PUPIL:
        plan.handed_over = sorted({*own, *plan.unsaid})
    for other, column in rules.naming_of(spec):
        if kept_most is None:
            break
        naming = await erasing.naming(connection, other, column, school_id=school_id, keys=plan.keys)
        years = await erasing.said_of(connection, other, school_id=school_id, keys=list(naming))
        plan.deeds += [
            _as(own.get(named, kept_most), other, key, years.get(key, Said(0, ""))) for key, named in naming.items()
        ]
    if request.kind is Kind.ERASURE:
        for other, of in rules.registers.items():
            rule = rules.rule_of(other.collection, "", day)
            if of is spec and rule is not None and not rule.kept:
                plan.named = plan.keys
                plan.registers[other] = await erasing.registers_naming(
                    connection, other, school_id=school_id, keys=plan.keys
                )
    return plan


async def _plan_named(
    connection: AsyncConnection, rules: ErasureRules, request: DataRequest, plan: Plan, *, only: str, day: date
) -> None:
    """Plan for one record that is about a person: what becomes of it is what would become of the person's own."""
    spec, school_id = BY_COLLECTION[request.collection], request.school_id
    said = (await erasing.said_of(connection, spec, school_id=school_id, keys=[only])).get(only)
    if said is None:
        return
    for of, column in rules.naming.get(spec, ()):
        named = await erasing.named_by(connection, spec, column, school_id=school_id, key=only)
        if not named:
            continue
        whose = (await erasing.said_of(connection, of, school_id=school_id, keys=[named])).get(named, Said(0, ""))
        deed = deed_of(rules, request.kind, of, named, whose, day=day)
        if deed is not None:
            plan.deeds.append(_as(deed, spec, only, said))
            return


def _as(deed: Deed, spec: ObjectSpec, key: str, said: Said) -> Deed:
    """The same for a record that is about the one."""
    return deed._replace(spec=spec, key=key, school_year=said.school_year, dropped=())


async def carry_out_next(database: Database, clock: Clock, rules: ErasureRules) -> bool:
    """Carry out the granted request that is due first; says whether there was one.

    One that fails is put off and named in the log, so that the others do not wait for it.
    """
    found: tuple[int, int] | None = None
    try:
        async with database.transaction() as connection:
            await persons.take_turn(connection)
            found = await erasures.next_to_do(connection, now=clock.now())
            if found is None:
                return False
            school_id, data_request_id = found
            request = await data_requests.held_data_request(
                connection, school_id=school_id, data_request_id=data_request_id
            )
            assert request is not None, "it was found under the same lock"
            await _carry_out(connection, rules, request, now=clock.now(), today=clock.today())
    except Exception as error:
        if found is None:
            raise
        log.warning(
            "request not carried out",
            action="erasures.failed",
            school_id=school_id,
            data_request_id=data_request_id,
            error=said(error),
        )
        async with database.transaction() as connection:
            await erasures.put_off(connection, *found, until=clock.now() + TRY_AGAIN)
        return True
    log.info("request carried out", action="erasures.carried_out", school_id=school_id, data_request_id=data_request_id)
    return True


async def _carry_out(
    connection: AsyncConnection, rules: ErasureRules, request: DataRequest, *, now: datetime, today: date
) -> None:
    school_id, number = request.school_id, request.data_request_id
    spec = BY_COLLECTION[request.collection]
    beside: Collection[int] = ()
    if spec in PERSONS:
        keys = await erasing.keys_of_person(connection, spec, school_id=school_id, key=request.key)
        beside = await erasing.schools_of_persons(connection, spec.number, school_id=school_id, keys=keys)
    await bulk.lock_schools(connection, {school_id, *beside})
    plan = await plan_deed(connection, rules, request, day=today)
    work = _Work(connection, request, now=now, today=today)
    if plan.handed_over:
        await work.end_transfers(plan.handed_over)
    for one, deeds in plan.by_type(erased=True).items():
        await work.erase(one, deeds)
    for one, deeds in plan.by_type(erased=False).items():
        await work.restrict(one, deeds)
    for one, registers in plan.registers.items():
        await work.drop_exceptions(one, registers, plan.named)
    if plan.unsaid:
        await work.forget_links(spec, plan.unsaid)
    await outbox.append(connection, work.leaving)
    await count_once(connection, work.persons, today=today)
    payload = erasures_requested(
        school_id,
        number,
        erased={one: [deed.key for deed in deeds] for one, deeds in plan.by_type(erased=True).items()},
        restricted={one: [deed.key for deed in deeds] for one, deeds in plan.by_type(erased=False).items()},
    )
    await outbox.append(connection, [Outgoing(ERASURES_REQUESTED, payload)])
    await erasures.note_deed(
        connection,
        school_id=school_id,
        data_request_id=number,
        services=rules.confirming,
        history_count=work.history_count,
        now=now,
    )


class _Work:
    """A deed under way, and what is to be told of it."""

    def __init__(self, connection: AsyncConnection, request: DataRequest, *, now: datetime, today: date) -> None:
        self._connection = connection
        self._school_id = request.school_id
        self._number = request.data_request_id
        self._erasing = request.kind is Kind.ERASURE
        self._now = now
        self._today = today
        self.leaving: list[Outgoing] = []
        self.persons: Collection[int] = set[int]()
        self.history_count = 0

    async def end_transfers(self, keys: Sequence[str]) -> None:
        """End what is under way of pupils' transfers, and leave no words of them where data are to be erased."""
        told, touched = await end_transfers(self._connection, self._school_id, keys, by=CENTRE, now=self._now)
        self.leaving += told
        self.persons = {*self.persons, *touched}
        if self._erasing:
            await erasing.forget_words_of_transfers(self._connection, school_id=self._school_id, keys=keys)

    async def erase(self, spec: ObjectSpec, deeds: Sequence[Deed]) -> None:
        """Leave of records no more than their keys."""
        keys = [deed.key for deed in deeds]
        await self._store_again(spec, keys, erase_row)
        self.history_count += await erasing.forget_states(self._connection, spec, school_id=self._school_id, keys=keys)
        await erasing.note_erased(
            self._connection,
            spec,
            [(deed.key, deed.source) for deed in deeds],
            school_id=self._school_id,
            data_request_id=self._number,
            now=self._now,
        )
        if spec in PERSONS:
            await self.forget_links(spec, keys)

    async def forget_links(self, spec: ObjectSpec, keys: Sequence[str]) -> None:
        """Forget whose records were."""
        found = await erasing.forget_links(self._connection, spec, school_id=self._school_id, keys=keys)
        await persons.suspect(self._connection, found)
        self.persons = {*self.persons, *found}

    async def restrict(self, spec: ObjectSpec, deeds: Sequence[Deed]) -> None:
        """Keep records from being shown, and take out of them what no law keeps."""
        rows = [(deed.key, deed.dropped, deed.source) for deed in deeds]
        await erasing.note_restricted(
            self._connection, spec, rows, school_id=self._school_id, data_request_id=self._number, now=self._now
        )
        for dropped in {deed.dropped for deed in deeds}:
            keys = [deed.key for deed in deeds if deed.dropped == dropped]
            fields = [name for name in dropped if name != ATTENDANCE]
            await self._store_again(spec, keys, partial(drop_fields, spec=spec, dropped=fields), changed=bool(fields))
            if fields:
                await erasing.drop_from_states(self._connection, spec, fields, school_id=self._school_id, keys=keys)

    async def drop_exceptions(self, spec: ObjectSpec, registers: Sequence[str], named: Sequence[str]) -> None:
        """Take these pupils' exceptions out of registers, and out of what these were."""
        await self._store_again(spec, registers, partial(drop_exceptions, spec=spec, keys=frozenset(named)))
        self.history_count += await erasing.drop_exceptions_from_states(
            self._connection, spec, school_id=self._school_id, keys=named
        )

    async def tell_again(self, identities: Sequence[Identity]) -> None:
        """Tell of records whose content stays."""
        for number in sorted({identity[1] for identity in identities}):
            keys = [key for _, other, key in identities if other == number]
            await self._store_again(BY_NUMBER[number], keys, _as_it_is, changed=False)

    async def _store_again(self, spec: ObjectSpec, keys: Sequence[str], alter: Alter, *, changed: bool = True) -> None:
        """Store records altered, unless nothing of them is, and tell of them."""
        identities = [(self._school_id, key) for key in keys]
        stored = await records_by_key(self._connection, spec, identities, withheld=True)
        alive = [one for one in stored.values() if not one[DELETED]]
        label = f"erasure-{self._school_id}-{self._number}"
        for batch, accepted, entries in altered_rows(spec, alive, alter, request_id=label, today=self._today):
            if changed:
                rows = await column_values(spec, entries, batch=batch, now=self._now)
                await bulk.replace_records(self._connection, spec, rows)
            await self._tell(spec, batch, accepted)

    async def _tell(self, spec: ObjectSpec, batch: Any, accepted: Sequence[Any]) -> None:
        identities = [(self._school_id, spec.number, batch.rows[index].key) for index, _, _ in accepted]
        hidden = await restrictions(self._connection, identities)
        elsewhere: Collection[tuple[int, str]] = ()
        if spec is PUPIL:
            elsewhere = await persons.counted_elsewhere(self._connection, [self._school_id])
        untold = await sandboxed(self._connection, [self._school_id])
        packed = await pack_changes(batch, accepted, elsewhere=elsewhere, restricted=hidden, untold=untold)
        self.leaving += [Outgoing(RECORDS_CHANGED, one.payload, one.count) for one in packed]


def _as_it_is(_row: Any) -> None:
    """Alter nothing."""


async def confirm_erasures(
    connection: AsyncConnection, confirmed: Iterable[tuple[int, int, str, int]], *, now: datetime
) -> None:
    """Note who has erased what it held, as school, request, service and count; the last one makes the request done."""
    for school_id, number, service, count in confirmed:
        request = await data_requests.held_data_request(connection, school_id=school_id, data_request_id=number)
        await erasures.confirm(connection, service, school_id=school_id, data_request_id=number, count=count, now=now)
        asked = await erasures.confirmations(connection, school_id=school_id, data_request_id=number)
        if request is None or not asked or any(one.confirm_time is None for one in asked):
            continue
        if request.state is State.GRANTED:
            note = "Đã thực hiện; các dịch vụ đã xác nhận: " + ", ".join(one.service for one in asked)
            await data_requests.keep_data_request(connection, completed(request, note=note, by=CENTRE, now=now))


async def lift_restriction(
    database: Database, clock: Clock, *, school_id: int, data_request_id: int, by: str, reason: str
) -> Sequence[Identity]:
    """Let records be used again that a request had restricted; returns these.

    Raises UNKNOWN_DATA_REQUEST, or DATA_REQUEST_STATE where it has not been carried out.
    """
    async with database.transaction() as connection:
        request = await held_request(connection, school_id=school_id, data_request_id=data_request_id)
        if await erasures.deed_of(connection, school_id=school_id, data_request_id=data_request_id) is None:
            raise not_now(request)
        await bulk.lock_schools(connection, [school_id])
        lifted = await erasures.lift(
            connection, school_id=school_id, data_request_id=data_request_id, by=by, reason=reason, now=clock.now()
        )
        work = _Work(connection, request, now=clock.now(), today=clock.today())
        await work.tell_again(lifted)
        await outbox.append(connection, work.leaving)
    return lifted
