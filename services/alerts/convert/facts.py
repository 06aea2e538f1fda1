"""Events of reporting and sync as facts, and as rows that facts are made of."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

from iocedu.records.v1 import unit_operations_pb2
from iocedu.reporting.v1 import reporting_pb2
from iocedu.sync.v1 import sync_pb2

from chassis.bus import Event
from services.alerts.convert.alerts import instant
from services.alerts.domain import CLASS_SIZE, CONNECTION, Fact

MERGED = ("merged_into", "renamed")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def class_facts(event: Event) -> Iterator[Fact]:
    """The facts of a `figures-changed` event; a class is known by its year and key, as a source may use a key again."""
    changed = reporting_pb2.FiguresChanged.FromString(event.data)
    for figures in changed.classes:
        yield Fact(
            kind=CLASS_SIZE,
            unit_id=figures.school_id,
            subject=f"{figures.school_year}/{figures.class_key}",
            version=figures.version,
            values={
                "name": figures.name,
                "grade": figures.grade,
                "school_year": figures.school_year,
                "size": figures.size,
                "size_limit": figures.size_limit,
                "limit_source": figures.limit_source,
                "active": figures.active,
            },
            baseline=changed.backfill,
        )


def connection_facts(event: Event) -> Iterator[Fact]:
    """The facts of a `connections-changed` event.

    A connection carries no version of its own; the time of the event, given while its row was locked, is one.
    """
    changed = sync_pb2.ConnectionsChanged.FromString(event.data)
    version = (event.time - _EPOCH) // _MICROSECOND
    for connection in changed.connections:
        sent = connection.HasField("last_accept_time")
        waited_since = connection.last_accept_time if sent else connection.create_time
        runs = connection.must_connect and (sent or connection.HasField("create_time"))
        yield Fact(
            kind=CONNECTION,
            unit_id=connection.school_id,
            subject="",
            version=version,
            values={"must_connect": connection.must_connect, "ever_sent": sent, "source": connection.source},
            baseline=changed.backfill,
            since=instant(waited_since) if runs else None,
        )


def school_figures(event: Event) -> Iterator[tuple[int, int, int, int, int, int]]:
    """School, school year, version, pupils, classes and staff of a `figures-changed` event."""
    for one in reporting_pb2.FiguresChanged.FromString(event.data).schools:
        yield one.school_id, one.school_year, one.version, one.pupil_count, one.class_count, one.staff_count


def is_backfill(event: Event) -> bool:
    """Whether a `figures-changed` event comes from history that notifies nobody."""
    return reporting_pb2.FiguresChanged.FromString(event.data).backfill


def sent_rows(event: Event) -> Iterator[tuple[int, int, int]]:
    """School, rows taken and rows refused so far, of a `connections-changed` event."""
    for one in sync_pb2.ConnectionsChanged.FromString(event.data).connections:
        yield one.school_id, one.accepted_count, one.rejected_count


def successions(event: Event) -> Iterator[tuple[int, int, date]]:
    """Unit, the unit it goes on in as a whole, and the first day, of a `units-changed` event."""
    for unit in unit_operations_pb2.UnitsChanged.FromString(event.data).units:
        for one in unit.successions:
            if one.kind in MERGED and not one.partial and one.successor.isdigit():
                yield unit.unit_id, int(one.successor), date.fromisoformat(one.effective_date)
