"""Events of reporting and sync as facts, and as rows that facts are made of."""

from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta

from google.protobuf.timestamp_pb2 import Timestamp
from iocedu.records.v1 import unit_operations_pb2
from iocedu.reporting.v1 import bases_pb2, reporting_pb2
from iocedu.sync.v1 import coverage_pb2, pushes_pb2

from chassis.bus import Event
from chassis.clock import VIETNAM
from services.alerts.convert.alerts import instant
from services.alerts.domain import CLASS_SIZE, COVERAGE, PUSHES, TARGET, Fact

MERGED = ("merged_into", "renamed")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_NEVER = "—"
_STATE = "COVERAGE_STATE_"


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


def push_facts(event: Event) -> Iterator[Fact]:
    """The facts of a `pushes-changed` event: one for each school, its subject is the destination.

    The event's time, given while the school's counts were locked, is the version.
    """
    changed = pushes_pb2.PushesChanged.FromString(event.data)
    for school in changed.schools:
        counts = school.counts
        yield Fact(
            kind=PUSHES,
            unit_id=school.school_id,
            subject=changed.destination,
            version=_version(event),
            values={
                "destination": changed.destination,
                "waiting": counts.waiting_count,
                "failed": counts.failed_count,
                "withheld": counts.withheld_count,
                "accepted": counts.accepted_count,
                "last_success": _read(school.last_success_time, known=school.HasField("last_success_time")),
                "problem_reason": school.problem_reason,
                "gap": school.gap_count,
                "compared": _read(school.reconcile_time, known=school.HasField("reconcile_time")),
            },
            since=instant(school.oldest_waiting_time) if school.HasField("oldest_waiting_time") else None,
        )


def coverage_facts(event: Event) -> Iterator[Fact]:
    """The facts of a `coverage-changed` event; the clock counts how long a state stands, sync tells when it changes.

    The event's time, given while the school was held, is the version.
    """
    changed = coverage_pb2.CoverageChanged.FromString(event.data)
    for school in changed.schools:
        rows, reason = school.recent_rows, next(iter(school.reasons), coverage_pb2.CoverageReason())
        sent = rows.taken_count + rows.rejected_count + rows.held_count
        state = coverage_pb2.CoverageState.Name(school.state).removeprefix(_STATE).lower()
        yield Fact(
            kind=COVERAGE,
            unit_id=school.school_id,
            subject="",
            version=_version(event),
            values={
                "must_connect": school.must_connect,
                "ever_sent": school.HasField("first_accept_time"),
                "state": "" if state == "unspecified" else state,
                "reason": reason.reason,
                "why": reason.message,
                "state_since": _read(school.since_time, known=school.HasField("since_time")),
                "source": school.source,
                "expected": school.expected_count,
                "arrived": school.arrived_count,
                "recent_rows": sent,
                "recent_rejected": rows.rejected_count,
                "rejected_share": round(rows.rejected_count / sent, 4) if sent else 0.0,
                "open_rows": school.open_row_count,
            },
            baseline=changed.baseline,
            since=instant(school.since_time) if school.must_connect and school.HasField("since_time") else None,
        )


def target_facts(event: Event, kind_of: Callable[[int], str]) -> Iterator[Fact]:
    """The facts of a `targets-changed` event; `kind_of` says the kind of a unit.

    A standing without a version comes from a reporting that gave none; the event's time is of the same order.
    """
    for one in bases_pb2.TargetsChanged.FromString(event.data).standings:
        short = {"up": one.target - one.value, "down": one.value - one.target}.get(one.direction, 0.0)
        missed = one.HasField("value") and short > 0
        yield Fact(
            kind=TARGET,
            unit_id=one.unit_id,
            subject=f"{one.school_year}/{one.indicator}",
            version=one.version or _version(event),
            values={
                "level": kind_of(one.unit_id),
                "school_year": one.school_year,
                "indicator": one.indicator,
                "name_vi": one.name_vi,
                "name_en": one.name_en,
                "measured": one.HasField("value"),
                "value": one.value,
                "target": one.target,
                "missed": missed,
                "distance": round(short, 6) if missed else 0.0,
                "reporting_share": round(one.reporting_school_count / max(one.expected_school_count, 1), 4),
                "source": one.source,
                "unit_of_count": one.unit_of_count,
            },
        )


def _version(event: Event) -> int:
    return (event.time - _EPOCH) // _MICROSECOND


def _read(timestamp: Timestamp, *, known: bool) -> str:
    """An instant as people read it in Viet Nam."""
    return f"{instant(timestamp).astimezone(VIETNAM):%d/%m/%Y %H:%M}" if known else _NEVER


def school_figures(event: Event) -> Iterator[tuple[int, int, int, int, int, int]]:
    """School, school year, version, pupils, classes and staff of a `figures-changed` event."""
    for one in reporting_pb2.FiguresChanged.FromString(event.data).schools:
        yield one.school_id, one.school_year, one.version, one.pupil_count, one.class_count, one.staff_count


def is_backfill(event: Event) -> bool:
    """Whether a `figures-changed` event comes from history that notifies nobody."""
    return reporting_pb2.FiguresChanged.FromString(event.data).backfill


def successions(event: Event) -> Iterator[tuple[int, int, date]]:
    """Unit, the unit it goes on in as a whole, and the first day, of a `units-changed` event."""
    for unit in unit_operations_pb2.UnitsChanged.FromString(event.data).units:
        for one in unit.successions:
            if one.kind in MERGED and not one.partial and one.successor.isdigit():
                yield unit.unit_id, int(one.successor), date.fromisoformat(one.effective_date)
