"""Targets beside what was reached, as events tell of them."""

from collections.abc import Iterator, Sequence

from iocedu.reporting.v1 import bases_pb2

from services.reporting.domain.catalogue import Indicator
from services.reporting.domain.figures import Figure, TargetRow

MOST_STANDINGS = 1_000
DECIMALS = 6  # Beyond these a value is what division left over.


def target_standing(target: TargetRow, indicator: Indicator, figure: Figure | None) -> bytes:
    """How a unit stands to its target; the same bytes for the same."""
    message = bases_pb2.TargetStanding(
        unit_id=target.unit_id,
        school_year=target.school_year,
        indicator=indicator.code,
        name_vi=indicator.name_vi,
        name_en=indicator.name_en,
        direction=indicator.direction,
        target=target.value,
        source=target.source,
        unit_of_count=indicator.unit_of_count,
    )
    if figure is not None:
        message.reporting_school_count, message.expected_school_count = figure.completeness
        if figure.value is not None:
            message.value = round(figure.value, DECIMALS)
    return message.SerializeToString(deterministic=True)


def targets_changed(changed: Sequence[tuple[bytes, int]]) -> Iterator[bases_pb2.TargetsChanged]:
    """Events of at most 1,000 standings, each with its version; none when nothing changed."""
    for start in range(0, len(changed), MOST_STANDINGS):
        part = changed[start : start + MOST_STANDINGS]
        event = bases_pb2.TargetsChanged(standings=(bases_pb2.TargetStanding.FromString(one) for one, _ in part))
        for standing, (_, version) in zip(event.standings, part, strict=True):
            standing.version = version
        yield event
