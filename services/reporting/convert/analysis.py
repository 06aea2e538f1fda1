"""Analyses on the wire, and what records tells of units: each figure with what stands beside it."""

from collections.abc import Iterable
from datetime import date

from iocedu.records.v1 import unit_operations_pb2
from iocedu.reporting.v1 import analysis_pb2

from services.reporting.domain.successions import Succession

COMPARISONS = {
    analysis_pb2.COMPARISON_LAST_YEAR: "last_year",
    analysis_pb2.COMPARISON_SAME_DAY_LAST_YEAR: "same_day_last_year",
    analysis_pb2.COMPARISON_TARGET: "target",
    analysis_pb2.COMPARISON_PEERS: "peers",
}
RANKINGS = {
    analysis_pb2.RANKING_UNSPECIFIED: "",
    analysis_pb2.RANKING_TOP: "top",
    analysis_pb2.RANKING_BOTTOM: "bottom",
}
INTERVALS = {
    analysis_pb2.SERIES_INTERVAL_UNSPECIFIED: "month",
    analysis_pb2.SERIES_INTERVAL_MONTH: "month",
    analysis_pb2.SERIES_INTERVAL_DAY: "day",
    analysis_pb2.SERIES_INTERVAL_SCHOOL_YEAR: "school_year",
}


def succession_rows(histories: Iterable[unit_operations_pb2.UnitHistory]) -> list[Succession]:
    """What became of units; successors are named by id."""
    return [
        Succession(history.unit_id, int(one.successor), one.kind, date.fromisoformat(one.effective_date), one.partial)
        for history in histories
        for one in history.successions
    ]
