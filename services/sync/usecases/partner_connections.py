"""Schools connected with partners, and handed over from one to another.

The grant in records is what lets a partner push; a connection is why it is there, and narrows it to collections. The
connection is kept before its grant is given and ends before that is taken back, so that no grant ever counts without
what narrows it. Each step may be repeated: asking again completes what was cut half way. No transaction is open while
records works.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import keyring
from chassis.clock import VIETNAM
from chassis.errors import Fault, FieldViolation, Kind
from chassis.scope_tree import EVERY_UNIT
from chassis.validation import invalid as invalid_fields
from services.sync.domain.batches import Origin
from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.partners import INTEGRATOR, NOT_GIVEN, ConnectionState, PartnerConnection, pushable
from services.sync.domain.words import shortened
from services.sync.store import partner_connections as store
from services.sync.store import partners as partner_store
from services.sync.usecases import partner_refusals as refusals
from services.sync.usecases.intake import Intake
from services.sync.usecases.partners import Partners
from services.sync.usecases.refusals import invalid

MOST_AHEAD: Final = timedelta(days=366)
# What records answers when it gives no grant; of any other fault it may have given one whose answer was lost.
REFUSALS: Final = frozenset({Kind.INVALID, Kind.NOT_FOUND, Kind.DENIED, Kind.PRECONDITION})


@dataclass(frozen=True, slots=True)
class Terms:
    """On what terms a partner is to be connected with a unit."""

    unit_id: int
    partner_id: str
    collections: tuple[str, ...]
    valid_from: date
    valid_to: date | None
    reason: str
    handed_over_from: int = 0


@dataclass(frozen=True, slots=True)
class HandedOver:
    """What became of a hand-over."""

    ended: PartnerConnection
    begun: PartnerConnection
    places: int


async def connect(partners: Partners, terms: Terms, *, by: str) -> PartnerConnection:
    """Connect; the same terms again answer the same connection. Raises ALREADY_CONNECTED, and what records says."""
    if violations := [*_violations(terms, partners.clock.today())]:
        raise invalid_fields(violations)
    return await _connect(partners, terms, by=by, beside=0)


def _violations(terms: Terms, today: date) -> Iterator[FieldViolation]:
    """All that is wrong with terms by themselves."""
    if unknown := [name for name in terms.collections if name not in COLLECTIONS.values()]:
        names, known = ", ".join(f"“{shortened(name)}”" for name in unknown), ", ".join(COLLECTIONS.values())
        yield FieldViolation(
            "collections",
            "INVALID_FIELD",
            vi=f"Không có loại dữ liệu {names}. Các loại: {known}.",
            en=f"There is no collection {names}. There are: {known}.",
        )
    if terms.valid_from < today:
        yield FieldViolation(
            "valid_from",
            "INVALID_FIELD",
            vi=f"Kết nối bắt đầu sớm nhất từ hôm nay, {today:%d/%m/%Y}.",
            en=f"A connection begins today ({today}) at the earliest.",
        )
    if terms.valid_to is not None and terms.valid_to <= terms.valid_from:
        yield FieldViolation(
            "valid_to",
            "INVALID_FIELD",
            vi=f"Kết nối kết thúc sau ngày bắt đầu, {terms.valid_from:%d/%m/%Y}.",
            en=f"A connection ends after it begins ({terms.valid_from}).",
        )


async def _connect(partners: Partners, terms: Terms, *, by: str, beside: int) -> PartnerConnection:
    """Connect, whatever the connection `beside` says, which is handed over."""
    async with partners.database.transaction() as writes:
        if await partner_store.partner_of(writes, terms.partner_id) is None:
            raise refusals.unknown_partner(terms.partner_id)
        present = _standing(await store.on_unit(writes, terms.unit_id), terms, beside=beside)
        if present is None:
            kept = await store.add(writes, _new(terms, by=by, now=partners.clock.now()))
        elif present.grant_id == NOT_GIVEN:
            # Taken over, so that whoever began it does not drop it when refused.
            kept = await store.change(writes, present, connected_by=by, reason=terms.reason)
        else:
            kept = present
    try:
        return await _granted(partners, kept)
    except Fault as refused:
        if present is None and refused.kind in REFUSALS:
            async with partners.database.transaction() as writes:
                await store.drop_ungranted(writes, kept)
        raise


def _new(terms: Terms, *, by: str, now: datetime) -> PartnerConnection:
    """A connection by these terms, whose grant is not given yet."""
    return PartnerConnection(
        connection_id=0,
        unit_id=terms.unit_id,
        partner_id=terms.partner_id,
        collections=terms.collections,
        valid_from=terms.valid_from,
        valid_to=terms.valid_to,
        grant_id=NOT_GIVEN,
        connected_by=by,
        reason=terms.reason,
        create_time=now,
        ended_by="",
        end_reason="",
        end_time=None,
        handed_over_from=terms.handed_over_from,
    )


async def _granted(partners: Partners, one: PartnerConnection) -> PartnerConnection:
    """The connection with its grant, which is given anew where it does not stand any more."""
    begins = max(one.valid_from, partners.clock.today())
    grant_id = await partners.grants.give(one.partner_id, one.unit_id, valid_from=begins, valid_to=one.valid_to)
    if grant_id == one.grant_id:
        return one
    async with partners.database.transaction() as writes:
        changed = await store.change(writes, one, grant_id=grant_id)
    partners.rung.set()
    return changed


def _standing(held: Sequence[PartnerConnection], terms: Terms, *, beside: int) -> PartnerConnection | None:
    """The connection that says all of this already; raises ALREADY_CONNECTED where one says something else."""
    for one in held:
        if one.connection_id == beside or not one.meets(
            collections=terms.collections, valid_from=terms.valid_from, valid_to=terms.valid_to
        ):
            continue
        same = (one.partner_id, set(one.collections), one.valid_to) == (
            terms.partner_id,
            set(terms.collections),
            terms.valid_to,
        )
        if same and one.valid_from <= terms.valid_from:
            return one
        raise refusals.already_connected(one)
    return None


async def _completed(partners: Partners, one: PartnerConnection) -> PartnerConnection:
    """The connection, whose grant is asked for once more where connecting was cut: it may be there to be taken back."""
    over = one.valid_to is not None and one.valid_to <= partners.clock.today()
    return one if over or one.grant_id != NOT_GIVEN else await _granted(partners, one)


async def end(
    partners: Partners, unit_id: int, connection_id: int, *, day: date | None, reason: str, by: str
) -> PartnerConnection:
    """End a connection, at once or on a day; one that ends sooner stays as it is. Raises UNKNOWN_CONNECTION."""
    after = max(day or partners.clock.today(), partners.clock.today())
    async with partners.database.connection() as reads:
        begun = await store.by_id(reads, unit_id, connection_id)
    if begun is None:
        raise refusals.unknown_connection(connection_id)
    await _completed(partners, begun)
    async with partners.database.transaction() as writes:
        (found,) = [one for one in await store.on_unit(writes, unit_id) if one.connection_id == connection_id]
        if found.valid_to is None or after < found.valid_to:
            found = await _ended(partners, writes, found, after=after, reason=reason, by=by)
    await _take_back(partners, found)
    return found


async def hand_over(
    partners: Partners, unit_id: int, connection_id: int, *, partner_id: str, day: date | None, reason: str, by: str
) -> HandedOver:
    """Hand a connection over to another partner on a day; raises UNKNOWN_CONNECTION or CONNECTION_ENDED."""
    today = partners.clock.today()
    first = max(day or today, today)
    if first > today + MOST_AHEAD:
        raise invalid("day", vi="Ngày chuyển giao cách hôm nay nhiều nhất một năm.", en="A year ahead at most.")
    async with partners.database.connection() as reads:
        found = await store.by_id(reads, unit_id, connection_id)
        taker = await partner_store.partner_of(reads, partner_id)
    if found is None:
        raise refusals.unknown_connection(connection_id)
    if taker is None:
        raise refusals.unknown_partner(partner_id)
    found = await _completed(partners, found)
    until, done = found.valid_to, False
    if until is not None and until <= first:
        # Said before, and perhaps cut half way: what took over tells until when it would have gone on.
        async with partners.database.transaction() as writes:
            after = [one for one in await store.on_unit(writes, unit_id) if one.handed_over_from == connection_id]
        if not any(one.partner_id == partner_id and one.valid_from == first for one in after):
            raise refusals.connection_ended(found)
        until, done = after[0].valid_to, True
    if partner_id == found.partner_id or first < found.valid_from:
        raise refusals.connection_ended(found)
    terms = Terms(unit_id, partner_id, found.collections, first, until, reason, connection_id)
    begun = await _connect(partners, terms, by=by, beside=connection_id)
    places = await partners.grants.hand_over(
        unit_id,
        list(found.collections),
        partner_id,
        from_time=None if first == today else datetime.combine(first, time(), VIETNAM),
        reason=reason[:200],
        request_id=f"connection-{connection_id}-{partner_id}-{first.isoformat()}",
    )
    if not done:
        async with partners.database.transaction() as writes:
            await store.on_unit(writes, unit_id)
            found = await _ended(partners, writes, found, after=first, reason=reason, by=by)
    await _take_back(partners, found)
    return HandedOver(found, begun, places)


async def _ended(
    partners: Partners, writes: AsyncConnection, one: PartnerConnection, *, after: date, reason: str, by: str
) -> PartnerConnection:
    values = {"valid_to": after, "ended_by": by, "end_reason": reason, "end_time": partners.clock.now()}
    return await store.change(writes, one, **values)


async def _take_back(partners: Partners, one: PartnerConnection) -> None:
    """Let the grant end with the last connection that it came of."""
    partners.rung.set()
    if one.grant_id == NOT_GIVEN:
        return
    async with partners.database.transaction() as writes:
        held = await store.on_unit(writes, one.unit_id)
    ends = [each.valid_to for each in held if each.grant_id == one.grant_id]
    if None not in ends:
        await partners.grants.end(one.grant_id, day=max(day for day in ends if day is not None))


async def publish_narrowing(partners: Partners) -> bool:
    """Publish for which collections of which units each partner's grants let it read, as `admitted` judges what it
    sends; False: no news.
    """
    # The tree is taken before the connections are read: of a grant that it has, the connection is kept by then.
    today, tree = partners.clock.today(), partners.scopes.tree
    async with partners.database.transaction() as writes:
        await partner_store.lock_keyring(writes)
        given, told = await store.grants_by_partner(writes), await store.in_force(writes, today)
        for partner_id in await partner_store.every_id(writes):
            parts = told.setdefault(partner_id, [])
            otherwise = {
                one.unit_id
                for one in tree.grants_of(partner_id, today)
                if one.grant_id not in given.get(partner_id, frozenset())
            }.difference(*(units for _, units in parts))
            parts.append((None, otherwise))
        return await keyring.publish(partners.bus, keyring.narrowing(told), keyring.NARROWED_ENTRY)


async def own_source(intake: Intake, subject: str) -> str:
    """The one source that a partner speaks for; of anybody else none, as they may speak for any."""
    async with intake.database.connection() as reads:
        return subject if await partner_store.among(reads, {subject}) else ""


async def admitted(intake: Intake, origin: Origin, subject: str, *, unit_id: int | None = None) -> Origin:
    """The batch of a partner, which speaks for itself alone, narrowed to what its connections are for; of anybody else
    as it is.

    The connections with the batch's unit count, or with the one that was asked for instead. A grant on another unit
    than these came otherwise: it counts whatever connections there are, and nothing narrows it. One of a connection
    that has ended counts no more, though it may be known for a moment yet. Raises SOURCE_OF_ANOTHER, NO_GRANT.
    """
    # The tree is taken before the connections are read: of a grant that it has, the connection is kept by then.
    today, tree = intake.clock.today(), intake.scopes.tree
    asked = origin.unit_id if unit_id is None else unit_id
    units = {EVERY_UNIT, asked, *tree.ancestors(asked, today)}
    async with intake.database.connection() as reads:
        if subject not in await partner_store.among(reads, {subject}):
            return origin
        if origin.source != subject:
            raise refusals.source_of_another(origin.source, subject)
        every = await store.of_partner(reads, subject, units)
    if any(
        grant.role == INTEGRATOR
        and grant.unit_id in units
        and not any(one.covers(grant.grant_id, grant.unit_id, today) for one in every)
        for grant in tree.grants_of(subject, today)
    ):
        return origin
    if held := [one for one in every if one.state(today, granted=True) is ConnectionState.IN_FORCE]:
        return origin.narrowed(pushable(held))
    if every:
        raise refusals.not_connected(subject)
    return origin
