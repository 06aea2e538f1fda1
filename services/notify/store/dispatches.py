"""The queue of messages: gathered from deliveries, claimed for some time, tried, and kept with every try.

A table and not a stream of the broker, since a message must be queued in the transaction that fills the inbox, leave
by its priority whatever came before it, and be found by person and state afterwards. Replicas skip what others hold.
"""

import secrets
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import copy_rows
from services.notify.domain.bounces import TOKEN_BYTES
from services.notify.domain.channels import Channel, Dispatch, Lane, Message, Outcome, Result, Try
from services.notify.domain.delivering import Way
from services.notify.store.bounces import bounces_of
from services.notify.store.notices import told_matters

Key = tuple[str, int, int, str, str]  # subject, matter, occasion, channel, address


@dataclass(frozen=True, slots=True)
class Waiting:
    """A delivery that waits for a message, with its recipient's quiet hours."""

    key: Key
    priority: int
    quiet_from: str
    quiet_to: str

    @property
    def subject(self) -> str:
        """Whose."""
        return self.key[0]

    @property
    def channel(self) -> Channel:
        """By which channel."""
        return Channel(self.key[3])

    @property
    def address(self) -> str:
        """Where to."""
        return self.key[4]


@dataclass(frozen=True, slots=True)
class Due:
    """A message that is due, with its recipient's quiet hours."""

    dispatch_id: UUID
    priority: int
    quiet_from: str
    quiet_to: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """A message that is new: one address, and the deliveries it tells."""

    dispatch_id: UUID
    deliveries: Sequence[Waiting]


async def claim_waiting(
    connection: AsyncConnection, now: datetime, waits: dict[Channel, float], *, limit: int
) -> list[Waiting]:
    """Lock deliveries that have waited long enough for company, the most urgent first."""
    given = {
        "channels": [channel.value for channel in waits],
        "before": [now - timedelta(seconds=seconds) for seconds in waits.values()],
        "now": now,
        "limit": limit,
    }
    rows = await connection.execute(_CLAIM_WAITING, given)
    return [
        Waiting(
            (row.subject, row.matter_id, row.occasion, row.channel, row.address),
            row.priority,
            row.quiet_from or "",
            row.quiet_to or "",
        )
        for row in rows
    ]


async def put_off(connection: AsyncConnection, waiting: Sequence[tuple[Waiting, datetime]]) -> None:
    """Let claimed deliveries wait until the quiet hours are over."""
    if waiting:
        times = {"times": [time for _, time in waiting]}
        await connection.execute(_PUT_OFF, _keys([one.key for one, _ in waiting]) | times)


async def add_dispatches(connection: AsyncConnection, gathered: Sequence[Gathered], now: datetime) -> None:
    """Queue messages, and say of each delivery by which it leaves."""
    columns = (
        "dispatch_id",
        "channel",
        "subject",
        "address",
        "priority",
        "state",
        "attempt_count",
        "next_time",
        "create_time",
        "return_token",
    )
    rows = []
    for one in gathered:
        first = one.deliveries[0]
        rows.append(
            (
                one.dispatch_id,
                first.channel.value,
                first.subject,
                first.address,
                first.priority,
                Way.QUEUED,
                0,
                now,
                now,
                secrets.token_hex(TOKEN_BYTES),
            )
        )
    await copy_rows(connection, "dispatch", columns, rows)
    pairs = [(delivery.key, one.dispatch_id) for one in gathered for delivery in one.deliveries]
    ids = {"ids": [dispatch_id for _, dispatch_id in pairs]}
    await connection.execute(_GATHER, _keys([key for key, _ in pairs]) | ids)


async def any_due(connection: AsyncConnection, channel: Channel, lane: Lane, *, now: datetime) -> bool:
    """Whether a message could be taken now."""
    return bool(await connection.scalar(_ANY_DUE, {**_of_lane(channel, lane), "now": now}))


async def free_time(connection: AsyncConnection, channel: Channel) -> datetime | None:
    """When the channel is free, locked until the transaction ends: the pace is one for all replicas."""
    await connection.execute(_PACE_THERE, {"channel": channel.value})
    row = (await connection.execute(_PACE, {"channel": channel.value})).one()
    found: datetime = row.free_time
    return found


async def keep_free_time(connection: AsyncConnection, channel: Channel, free: datetime) -> None:
    """Say when the channel is free again."""
    await connection.execute(_KEEP_PACE, {"channel": channel.value, "free": free})


def _of_lane(channel: Channel, lane: Lane) -> dict[str, object]:
    urgent = lane is Lane.URGENT
    return {"channel": channel.value, "least": 0 if urgent else 1, "most": 0 if urgent else 9}


async def lock_due(
    connection: AsyncConnection, channel: Channel, lane: Lane, *, now: datetime, limit: int
) -> list[Due]:
    """Lock messages that are due and that no other replica holds."""
    rows = await connection.execute(_LOCK_DUE, {**_of_lane(channel, lane), "now": now, "limit": limit})
    return [Due(row.dispatch_id, row.priority, row.quiet_from or "", row.quiet_to or "") for row in rows]


async def put_off_messages(connection: AsyncConnection, later: Mapping[UUID, datetime]) -> None:
    """Let locked messages wait until the quiet hours are over."""
    if later:
        await connection.execute(_PUT_OFF_MESSAGES, {"ids": list(later), "times": list(later.values())})


async def take_messages(
    connection: AsyncConnection, channel: Channel, ids: Collection[UUID], *, now: datetime, lease: timedelta
) -> list[Message]:
    """Take locked messages for as long as the lease lasts; whoever took them and died loses them to the next."""
    if not ids:
        return []
    rows = (await connection.execute(_TAKE, {"ids": list(ids), "until": now + lease})).all()
    await connection.execute(
        _START, {"ids": [row.dispatch_id for row in rows], "numbers": [row.attempt_count for row in rows], "now": now}
    )
    told = await told_matters(connection, list(ids))
    return [
        Message(
            row.dispatch_id,
            channel,
            row.subject,
            row.address,
            row.attempt_count,
            row.language or "vi",
            [one for one in told.get(row.dispatch_id, ()) if not one.matter.recalled],
            row.return_token or "",
        )
        for row in rows
    ]


async def settle(
    connection: AsyncConnection, message: Message, result: Result, *, way: Way, next_time: datetime, now: datetime
) -> bool:
    """Write down what came of a try; says whether it is still this try that decides.

    A try whose lease ran out decides only if it was accepted: what has arrived is not sent again.
    """
    given = {
        "id": message.dispatch_id,
        "number": message.attempt,
        "way": int(way),
        "next": next_time,
        "now": now,
        "done": way in (Way.SENT, Way.DEAD),
        "accepted": way is Way.SENT,
    }
    decided = (await connection.execute(_SETTLE, given)).rowcount == 1
    told = {"id": message.dispatch_id, "number": message.attempt, "outcome": result.outcome.value}
    await connection.execute(_END, told | {"detail": result.detail[:500]})
    return decided


async def cancel(connection: AsyncConnection, message: Message, now: datetime) -> None:
    """Give up a claimed message that tells nothing any more."""
    await connection.execute(_CANCEL, {"id": message.dispatch_id, "now": now})
    told = {"id": message.dispatch_id, "number": message.attempt, "outcome": Outcome.REFUSED.value}
    await connection.execute(_END, told | {"detail": "recalled"})


async def fall_back(connection: AsyncConnection, message: Message, channel: Channel, now: datetime) -> int:
    """Queue what a given-up message told for another channel of the same person; returns how many deliveries."""
    given = {"id": message.dispatch_id, "channel": channel.value, "now": now}
    return (await connection.execute(_FALL_BACK, given)).rowcount


async def divert_waiting(
    connection: AsyncConnection, message: Message, fallback: Channel | None, now: datetime
) -> None:
    """Let what waits to leave for the address of a message leave by another channel, or not at all."""
    given = {"subject": message.subject, "channel": message.channel.value, "address": message.address, "now": now}
    if fallback is not None:
        await connection.execute(_DIVERT, given | {"fallback": fallback.value})
    await connection.execute(_DROP_WAITING, given)


async def replay(connection: AsyncConnection, ids: Collection[UUID], now: datetime) -> int:
    """Put messages back into the queue under their ids: all given-up ones where none is named; named, came back too."""
    given = {"ids": list(ids), "every": not ids, "now": now}
    return (await connection.execute(_REPLAY, given)).rowcount


async def list_dispatches(
    connection: AsyncConnection, *, states: Collection[int], subject: str, below: int | None, limit: int
) -> list[Dispatch]:
    """Messages, the newest first, with their tries."""
    given = {"states": list(states), "subject": subject, "below": below, "limit": limit}
    rows = (await connection.execute(_LIST, given)).all()
    returned = await bounces_of(connection, [row.dispatch_id for row in rows])
    tries: dict[UUID, list[Try]] = {}
    for row in await connection.execute(_TRIES, {"ids": [row.dispatch_id for row in rows]}):
        tries.setdefault(row.dispatch_id, []).append(Try(row.number, row.time, row.outcome, row.detail))
    return [
        Dispatch(
            row.sequence,
            row.dispatch_id,
            Channel(row.channel),
            row.subject,
            Way(row.state),
            row.priority,
            row.notice_count,
            row.create_time,
            row.next_time,
            row.done_time,
            tries.get(row.dispatch_id, ()),
            returned.get(row.dispatch_id, ()),
        )
        for row in rows
    ]


async def count_dispatches(connection: AsyncConnection) -> list[tuple[Channel, Way, int]]:
    """How many messages of each channel are in each state."""
    rows = await connection.execute(_COUNT)
    return [(Channel(row.channel), Way(row.state), row.messages) for row in rows]


async def queues(connection: AsyncConnection, now: datetime) -> dict[Channel, tuple[int, float]]:
    """By channel: how many deliveries and messages wait that could leave, and how many seconds the oldest has."""
    rows = await connection.execute(_QUEUES, {"now": now})
    return {Channel(row.channel): (row.waiting, max(row.seconds, 0.0)) for row in rows}


async def prune(connection: AsyncConnection, before: datetime, *, limit: int) -> int:
    """Forget messages that were done long ago, with what they told; returns how many."""
    return (await connection.execute(_PRUNE, {"before": before, "limit": limit})).rowcount


def _keys(keys: Sequence[Key]) -> dict[str, list[object]]:
    names = ("subjects", "matters", "occasions", "channels", "addresses")
    return {name: [key[place] for key in keys] for place, name in enumerate(names)}


_GIVEN = (
    " FROM unnest(CAST(:subjects AS text[]), CAST(:matters AS bigint[]), CAST(:occasions AS bigint[]),"
    " CAST(:channels AS text[]), CAST(:addresses AS text[]), CAST({} AS {}[]))"
    " AS given(subject, matter_id, occasion, channel, address, value) WHERE delivery.subject = given.subject"
    " AND delivery.matter_id = given.matter_id AND delivery.occasion = given.occasion"
    " AND delivery.channel = given.channel AND delivery.address = given.address"
)
_CLAIM_WAITING = sa.text(
    "SELECT delivery.subject, matter_id, occasion, delivery.channel, delivery.address, priority, quiet_from, quiet_to"
    " FROM delivery JOIN unnest(CAST(:channels AS text[]), CAST(:before AS timestamptz[])) AS wait(channel, before)"
    " ON wait.channel = delivery.channel LEFT JOIN contact ON contact.subject = delivery.subject"
    " WHERE dispatch_id IS NULL"
    " AND due_time <= CASE priority WHEN 0 THEN CAST(:now AS timestamptz) ELSE wait.before END"
    " ORDER BY priority, due_time LIMIT :limit FOR UPDATE OF delivery SKIP LOCKED"
)
_PUT_OFF = sa.text("UPDATE delivery SET due_time = given.value" + _GIVEN.format(":times", "timestamptz"))  # noqa: S608 (our own names)
_GATHER = sa.text("UPDATE delivery SET dispatch_id = given.value" + _GIVEN.format(":ids", "uuid"))  # noqa: S608 (our own names)
_PACE_THERE = sa.text("INSERT INTO channel_pace VALUES (:channel, 'epoch') ON CONFLICT DO NOTHING")
_PACE = sa.text("SELECT free_time FROM channel_pace WHERE channel = :channel FOR UPDATE")
_KEEP_PACE = sa.text("UPDATE channel_pace SET free_time = CAST(:free AS timestamptz) WHERE channel = :channel")
_DUE = (
    "channel = :channel AND priority BETWEEN :least AND :most AND state IN (1, 2)"
    " AND next_time <= CAST(:now AS timestamptz)"
)
_ANY_DUE = sa.text(f"SELECT EXISTS (SELECT FROM dispatch WHERE {_DUE})")  # noqa: S608 (our own text)
_LOCK_DUE = sa.text(
    "SELECT dispatch_id, priority, quiet_from, quiet_to FROM dispatch"  # noqa: S608 (our own text)
    f" LEFT JOIN contact ON contact.subject = dispatch.subject WHERE {_DUE}"
    " ORDER BY priority, next_time LIMIT :limit FOR UPDATE OF dispatch SKIP LOCKED"
)
_PUT_OFF_MESSAGES = sa.text(
    "UPDATE dispatch SET state = 1, next_time = given.time, quiet_until = given.time"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:times AS timestamptz[])) AS given(id, time) WHERE dispatch_id = given.id"
)
_TAKE = sa.text(
    "UPDATE dispatch SET state = 2, attempt_count = attempt_count + 1, next_time = CAST(:until AS timestamptz)"
    " FROM (SELECT dispatch_id, contact.language FROM dispatch LEFT JOIN contact ON contact.subject = dispatch.subject"
    " WHERE dispatch_id = ANY(CAST(:ids AS uuid[]))) AS due WHERE dispatch.dispatch_id = due.dispatch_id"
    " RETURNING dispatch.dispatch_id, subject, address, attempt_count, return_token, due.language"
)
_START = sa.text(
    "INSERT INTO attempt SELECT id, number, CAST(:now AS timestamptz), 'STARTED', ''"
    " FROM unnest(CAST(:ids AS uuid[]), CAST(:numbers AS int[])) AS given(id, number)"
)
_SETTLE = sa.text(
    "UPDATE dispatch SET state = :way, next_time = CAST(:next AS timestamptz),"
    " done_time = CASE WHEN :done THEN CAST(:now AS timestamptz) END WHERE dispatch_id = :id"
    " AND ((state = 2 AND attempt_count = :number) OR (:accepted AND state IN (1, 2, 4)))"
)
_END = sa.text("UPDATE attempt SET outcome = :outcome, detail = :detail WHERE dispatch_id = :id AND number = :number")
_CANCEL = sa.text("UPDATE dispatch SET state = 5, done_time = CAST(:now AS timestamptz) WHERE dispatch_id = :id")
_NO_CODE = "NOT EXISTS (SELECT FROM address_code WHERE address_code.matter_id = delivery.matter_id)"
_FALL_BACK = sa.text(
    "INSERT INTO delivery (subject, matter_id, occasion, channel, address, priority, due_time)"  # noqa: S608 (our own text)
    " SELECT delivery.subject, matter_id, occasion, route.channel, route.address, priority, CAST(:now AS timestamptz)"
    " FROM delivery JOIN route ON route.subject = delivery.subject AND route.channel = :channel"
    f" WHERE dispatch_id = :id AND {_NO_CODE} ON CONFLICT DO NOTHING"
)
_MINE = "subject = :subject AND channel = :channel AND address = :address AND dispatch_id IS NULL"
_DIVERT = sa.text(
    "INSERT INTO delivery (subject, matter_id, occasion, channel, address, priority, due_time)"  # noqa: S608 (our own text)
    " SELECT waiting.subject, matter_id, occasion, route.channel, route.address, priority, CAST(:now AS timestamptz)"
    f" FROM (SELECT * FROM delivery WHERE {_MINE} AND {_NO_CODE}) AS waiting"
    " JOIN route ON route.subject = waiting.subject AND route.channel = :fallback ON CONFLICT DO NOTHING"
)
_DROP_WAITING = sa.text(f"DELETE FROM delivery WHERE {_MINE}")  # noqa: S608 (our own text)
_REPLAY = sa.text(
    "UPDATE dispatch SET state = 1, next_time = CAST(:now AS timestamptz), done_time = NULL"
    " WHERE (:every AND state = 4) OR (state IN (4, 6) AND dispatch_id = ANY(CAST(:ids AS uuid[])))"
)
_LIST = sa.text(
    "SELECT dispatch.*, (SELECT count(*) FROM delivery WHERE delivery.dispatch_id = dispatch.dispatch_id)"
    " AS notice_count FROM dispatch WHERE (CAST(:below AS bigint) IS NULL OR sequence < CAST(:below AS bigint))"
    " AND (cardinality(CAST(:states AS smallint[])) = 0 OR state = ANY(CAST(:states AS smallint[])))"
    " AND (CAST(:subject AS text) = '' OR subject = CAST(:subject AS text)) ORDER BY sequence DESC LIMIT :limit"
)
_TRIES = sa.text("SELECT * FROM attempt WHERE dispatch_id = ANY(CAST(:ids AS uuid[])) ORDER BY dispatch_id, number")
_COUNT = sa.text("SELECT channel, state, count(*) AS messages FROM dispatch GROUP BY channel, state ORDER BY 1, 2")
_QUEUES = sa.text(
    "SELECT channel, count(*) AS waiting, extract(epoch FROM CAST(:now AS timestamptz) - min(since))::float8 AS seconds"
    " FROM (SELECT channel, due_time AS since FROM delivery WHERE dispatch_id IS NULL"
    " AND due_time <= CAST(:now AS timestamptz)"
    " UNION ALL SELECT channel, coalesce(quiet_until, create_time) FROM dispatch WHERE state IN (1, 2)"
    " AND coalesce(quiet_until, create_time) <= CAST(:now AS timestamptz)) AS waiting GROUP BY channel"
)
_PRUNE = sa.text(
    "WITH old AS (SELECT dispatch_id FROM dispatch WHERE done_time < CAST(:before AS timestamptz) LIMIT :limit"
    " FOR UPDATE SKIP LOCKED), tries AS (DELETE FROM attempt USING old WHERE attempt.dispatch_id = old.dispatch_id),"
    " returned AS (DELETE FROM bounce USING old WHERE bounce.dispatch_id = old.dispatch_id),"
    " told AS (DELETE FROM delivery USING old WHERE delivery.dispatch_id = old.dispatch_id)"
    " DELETE FROM dispatch USING old WHERE dispatch.dispatch_id = old.dispatch_id"
)
