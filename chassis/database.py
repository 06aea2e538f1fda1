"""PostgreSQL for a service: transactions that wake the outbox, reads, COPY, ordered locks, and the chassis' own tables.

A lost connection leaves here as the fault UNAVAILABLE with a time to retry after: no other module looks at driver
errors.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import asyncpg
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY, JSONB
from sqlalchemy.exc import DBAPIError, DisconnectionError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import NullPool
from sqlalchemy.types import TypeEngine

from chassis import telemetry
from chassis.errors import Fault, Kind
from chassis.statements import record_statements

APPENDED = "outbox_appended"  # Key in `connection.info` by which `outbox.append` asks for the relay to be woken.
CONNECT_SECONDS = 5
COPIED_AT_ONCE = 500  # Rows of a COPY between two looks at the loop.
_BUSY_STATES = {"40001", "40P01", "53300", "55P03"}  # serialization, deadlock, too many connections, lock timeout
_GONE_STATES = {"57P01", "57P02", "57P03"}  # the server stops, crashed, or is starting


@dataclass(frozen=True)
class ChassisTables:
    """The tables that each service's database holds for the chassis."""

    outbox: sa.Table
    inbox: sa.Table
    dead_letter: sa.Table


def chassis_tables(metadata: sa.MetaData) -> ChassisTables:
    """Describe the chassis' tables on a service's metadata; migrations make them by `create_chassis_tables`."""
    now = sa.text("clock_timestamp()")
    instant = sa.DateTime(timezone=True)
    outbox = sa.Table(
        "outbox",
        metadata,
        sa.Column("id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Order of appending."),
        sa.Column("event_id", sa.Uuid, nullable=False, comment="Id of the event; consumers know repeats by it."),
        sa.Column("event", sa.Text, nullable=False, comment="Name of the event, for example things-changed."),
        sa.Column("payload", sa.LargeBinary, nullable=False, comment="Serialized protobuf message."),
        sa.Column("count", sa.Integer, nullable=False, comment="How many items the payload holds."),
        sa.Column("headers", JSONB, nullable=False, comment="Further headers, the trace context among them."),
        sa.Column("stamped", sa.Boolean, nullable=False, comment="Whether the relay's stamp has been given."),
        sa.Column("create_time", instant, nullable=False, server_default=now, comment="When it was appended."),
        comment="Events that are committed and wait to be published; the relay deletes what the broker has.",
    )
    inbox = sa.Table(
        "inbox",
        metadata,
        sa.Column("consumer", sa.Text, primary_key=True, comment="Durable name of the consumer."),
        sa.Column("event_id", sa.Text, primary_key=True, comment="Id of the event it has handled."),
        sa.Column("create_time", instant, nullable=False, server_default=now, comment="When it was handled."),
        sa.Index("inbox_create_time", "create_time"),
        comment="Events that were handled, in the transaction of their effect; kept longer than the broker repeats.",
    )
    dead_letter = sa.Table(
        "dead_letter",
        metadata,
        sa.Column("dead_letter_id", sa.BigInteger, sa.Identity(always=True), primary_key=True, comment="Surrogate id."),
        sa.Column("consumer", sa.Text, nullable=False, comment="Durable name of the consumer that gave up."),
        sa.Column("event_id", sa.Text, nullable=False, comment="Id of the event."),
        sa.Column("event_type", sa.Text, nullable=False, comment="CloudEvents type."),
        sa.Column("source", sa.Text, nullable=False, comment="CloudEvents source: the publishing service."),
        sa.Column("subject", sa.Text, nullable=False, comment="Subject it came on."),
        sa.Column("event_time", instant, nullable=False, comment="When the event happened."),
        sa.Column("headers", JSONB, nullable=False, comment="All its headers."),
        sa.Column("payload", sa.LargeBinary, nullable=False, comment="Serialized protobuf message."),
        sa.Column("reason", sa.Text, nullable=False, comment="Stable reason it was given up for."),
        sa.Column("message", sa.Text, nullable=False, comment="What happened, free of personal data."),
        sa.Column("trace_id", sa.Text, nullable=False, comment="Trace the event belongs to; empty: none."),
        sa.Column("create_time", instant, nullable=False, server_default=now, comment="When it was given up."),
        sa.UniqueConstraint("consumer", "event_id", name="dead_letter_once"),
        comment="Events a consumer gave up; an operator lists and replays them.",
    )
    return ChassisTables(outbox=outbox, inbox=inbox, dead_letter=dead_letter)


class Database:
    """One service's database. Made by `open_database`."""

    def __init__(self, engine: AsyncEngine, url: str) -> None:
        self.engine = engine
        self.url = url
        self.appended = asyncio.Event()  # Set when a commit left something in the outbox.
        self._reads = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._snapshots = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[AsyncConnection]:
        """A connection in a transaction: committed at the end, rolled back when anything is raised."""
        with _translated():
            async with self.engine.connect() as connection:
                connection.info.pop(APPENDED, None)
                async with connection.begin():
                    yield connection
                appended = connection.info.pop(APPENDED, False)
        if appended:
            self.appended.set()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[AsyncConnection]:
        """A connection for reads, each statement by itself and without the round trips of a transaction."""
        with _translated():
            async with self._reads.connect() as connection:
                yield connection

    @asynccontextmanager
    async def snapshot(self) -> AsyncIterator[AsyncConnection]:
        """A connection that sees everything as it was at one moment, however long it is used, and writes nothing.

        While it is open the database keeps what changes meanwhile: bound the time.
        """
        with _translated():
            async with self._snapshots.connect() as connection, connection.begin():
                await connection.execute(sa.text("SELECT 1"))
                yield connection

    @asynccontextmanager
    async def dedicated(self) -> AsyncIterator[AsyncConnection]:
        """A session of its own outside the pool, for session locks; it ends with the context."""
        engine = _engine(self.url, application="relay", poolclass=NullPool)
        try:
            with _translated():
                async with engine.connect() as connection:
                    yield connection
        finally:
            await engine.dispose()

    async def ping(self) -> None:
        """Ask for a sign of life; raises when there is none within the time to connect."""
        async with asyncio.timeout(CONNECT_SECONDS), self.connection() as connection:
            await connection.execute(sa.text("SELECT 1"))


@asynccontextmanager
async def open_database(url: str, *, most: int = 20, application: str = "iocedu") -> AsyncIterator[Database]:
    """Open a database by its `postgresql://` URL; nothing is connected before the first use.

    Of at most `most` connections half are kept open; who finds none free for ten seconds is refused.
    """
    kept = most // 2
    engine = _engine(url, application=application, pool_size=kept, max_overflow=most - kept, pool_timeout=10)
    try:
        yield Database(engine, url)
    finally:
        await engine.dispose()


async def copy_rows(
    connection: AsyncConnection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    """Write rows by COPY inside the connection's transaction; a schema stands before a dot: `records.pupil`."""
    raw = (await connection.get_raw_connection()).driver_connection
    assert raw is not None
    if not raw.is_in_transaction():
        # The adapter begins a transaction with the first statement it sees, and it does not see COPY.
        await connection.exec_driver_sql("SELECT 1")
    schema, _, name = table.rpartition(".")
    with telemetry.statement_span(f"COPY {table}"):
        given = _in_turns(rows)
        await raw.copy_records_to_table(name, schema_name=schema or None, columns=list(columns), records=given)


async def _in_turns(rows: Iterable[tuple[Any, ...]]) -> AsyncGenerator[tuple[Any, ...], None]:
    """Rows for COPY, the loop running other work in between: thousands are encoded in one step otherwise."""
    for number, row in enumerate(rows, 1):
        yield row
        if number % COPIED_AT_ONCE == 0:
            await asyncio.sleep(0)


def given_rows(columns: Mapping[str, tuple[TypeEngine[Any], Sequence[Any]]]) -> sa.TableValuedAlias:
    """Rows handed to a statement as `given`, an array a column: whatever their number, one statement and one plan."""
    arrays = (sa.bindparam(f"given_{name}", list(items), type_=ARRAY(kind)) for name, (kind, items) in columns.items())
    shape = (sa.column(name, kind) for name, (kind, _) in columns.items())
    return sa.func.unnest(*arrays).table_valued(*shape).render_derived(name="given")


async def lock_keys(connection: AsyncConnection, keys: Iterable[int], *, space: int, shared: bool = False) -> None:
    """Lock keys until the transaction ends, in rising order, so that two writers never wait for each other.

    Who locks them `shared` waits for none but those who do not.

    Call it before the first write. `space` (0 to 32,767) keeps different things with equal keys apart; keys above
    2^48 may share a lock, which costs waiting and no more.
    """
    locks = sorted({(space << 48) | (key & 0xFFFF_FFFF_FFFF) for key in keys})
    if locks:
        await connection.execute(_LOCK_SHARED if shared else _LOCK, {"locks": locks})


# The inner select fixes the order in which the locks are taken; the outer keeps the answer to one row.
_LOCK, _LOCK_SHARED = (
    sa.text(
        f"SELECT count(*) FROM (SELECT {function}(key) FROM (SELECT key FROM"  # noqa: S608 (our own names)
        " unnest(CAST(:locks AS bigint[])) WITH ORDINALITY AS wanted(key, place)"
        " ORDER BY place) AS sorted OFFSET 0) AS held"
    )
    for function in ("pg_advisory_xact_lock", "pg_advisory_xact_lock_shared")
)


class _translated:  # noqa: N801 (reads as a clause)
    """Turns what the driver raises for a lost or crowded server into a fault the caller may retry after."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        fault = fault_of(error)
        if fault is not None:
            raise fault from error


def fault_of(error: BaseException | None) -> Fault | None:
    """What a database that is away or busy means to a caller; None for an error that lies in what was asked of it."""
    if isinstance(error, PoolTimeoutError):
        return _busy()
    if isinstance(error, DBAPIError):
        if error.connection_invalidated:
            return gone()
        cause = error.orig.__cause__ if error.orig is not None else None
        return fault_of(cause)
    state = getattr(error, "sqlstate", None)
    if isinstance(error, asyncpg.InvalidCachedStatementError):
        return _busy()  # A migration changed a table since the statement was prepared; the next try prepares it anew.
    if state in _BUSY_STATES:
        return _busy()
    if state in _GONE_STATES or isinstance(error, asyncpg.PostgresConnectionError):
        return gone()
    if isinstance(error, asyncpg.InterfaceError) and "closed" in str(error):
        return gone()
    return None


def gone() -> Fault:
    """What a caller hears whose database is away."""
    return Fault(
        Kind.UNAVAILABLE,
        "DATABASE_UNAVAILABLE",
        vi="Cơ sở dữ liệu tạm thời không phản hồi. Vui lòng thử lại sau giây lát.",
        en="The database does not answer for the moment. Please try again shortly.",
        retry_after=timedelta(seconds=1),
    )


def _busy() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "DATABASE_BUSY",
        vi="Cơ sở dữ liệu đang bận. Vui lòng thử lại sau giây lát.",
        en="The database is busy. Please try again shortly.",
        retry_after=timedelta(milliseconds=200),
    )


def _engine(url: str, *, application: str, **options: Any) -> AsyncEngine:
    address = sa.make_url(url).set(drivername="postgresql+asyncpg")

    async def connect(*args: Any, **kwargs: Any) -> asyncpg.Connection:
        try:
            return await asyncpg.connect(*args, **kwargs)
        except (OSError, TimeoutError) as error:
            raise asyncpg.CannotConnectNowError(str(error)) from error

    engine = create_async_engine(
        address,
        hide_parameters=True,  # An error's text goes to the log: what was written must not go with it.
        connect_args={
            "timeout": CONNECT_SECONDS,
            "prepared_statement_cache_size": 512,
            "async_creator_fn": connect,
            "server_settings": {
                "application_name": application,
                "timezone": "UTC",
                "jit": "off",  # Our statements are short; compiling them takes longer than running them.
                "lock_timeout": "15s",
                "idle_in_transaction_session_timeout": "120s",
            },
        },
        **options,
    )
    sa.event.listen(engine.sync_engine, "checkout", _refuse_closed)
    record_statements(engine.sync_engine)
    return engine


def _refuse_closed(dbapi_connection: Any, _record: Any, _proxy: Any) -> None:
    """Lets the pool replace a connection that the server has closed, without asking it by a round trip."""
    if dbapi_connection.driver_connection.is_closed():
        raise DisconnectionError("closed by the server")
