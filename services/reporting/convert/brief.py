"""Key figures of a brief as callers see them."""

from datetime import date

from iocedu.reporting.v1 import brief_pb2

from services.reporting.domain.catalogue import Indicator
from services.reporting.domain.figures import Figure


def figure_message(indicator: Indicator, figure: Figure, before: tuple[float, date] | None) -> brief_pb2.BriefFigure:
    """A key figure beside that of the day before."""
    message = brief_pb2.BriefFigure(
        indicator=indicator.code,
        name_vi=indicator.name_vi,
        name_en=indicator.name_en,
        unit_of_count=indicator.unit_of_count,
    )
    if figure.value is not None:
        message.value = figure.value
    if before is not None:
        message.previous_value, message.previous_day = before[0], before[1].isoformat()
    message.reporting_school_count, message.expected_school_count = figure.completeness
    return message
