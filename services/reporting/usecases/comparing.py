"""Puts figures beside others: rank, percentile and median among the units of a breakdown; and whether parts add up.

Refuses nothing: what has no value has no rank, and what cannot be compared stands without.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from services.reporting.domain.catalogue import Indicator
from services.reporting.domain.cube import Values
from services.reporting.domain.figures import Figure

Cell = tuple[str, int, Values]


@dataclass(frozen=True, slots=True)
class Standing:
    """A unit's place among its peers."""

    rank: int
    ranked: int
    percentile: float
    median: float


@dataclass(frozen=True, slots=True)
class Sum:
    """Whether the parts of an indicator add up to the whole, and why not."""

    indicator: str
    adds_up: bool
    vi: str = ""
    en: str = ""


def cell_of(figure: Figure) -> Cell:
    """What a figure is about."""
    return figure.indicator, figure.unit_id, figure.dimension_values


def standings(
    figures: Iterable[Figure], indicators: Mapping[str, Indicator], *, leave_out: int | None
) -> dict[Cell, Standing]:
    """Places among the units with a value, cell by cell; `leave_out` is what lies below none of them."""
    groups: dict[tuple[str, Values], list[Figure]] = {}
    for figure in figures:
        if figure.value is not None and figure.unit_id != leave_out:
            groups.setdefault((figure.indicator, figure.dimension_values), []).append(figure)
    found: dict[Cell, Standing] = {}
    for (code, _), peers in groups.items():
        ordered = sorted(figure.value for figure in peers if figure.value is not None)
        middle, count = median(ordered), len(ordered)
        placed: dict[float, Standing] = {}  # Equals share one.
        for value in dict.fromkeys(ordered):
            below, up_to = bisect_left(ordered, value), bisect_right(ordered, value)
            rank = below + 1 if indicators[code].direction == "down" else count - up_to + 1
            placed[value] = Standing(rank, count, (below + up_to) / 2 / count * 100, middle)
        found.update((cell_of(figure), placed[figure.value]) for figure in peers if figure.value is not None)
    return found


def ranked(figures: Sequence[Figure], *, top: bool, limit: int, leave_out: int | None) -> list[Figure]:
    """The highest or lowest figures of each indicator; equal ones in order of their units."""
    codes = dict.fromkeys(figure.indicator for figure in figures)
    chosen: list[Figure] = []
    for code in codes:
        valued = [
            one for one in figures if one.indicator == code and one.value is not None and one.unit_id != leave_out
        ]
        valued.sort(key=lambda one: ((-1 if top else 1) * (one.value or 0.0), one.unit_id))
        chosen += valued[:limit]
    return chosen


def additions(indicators: Sequence[Indicator], figures: Sequence[Figure]) -> list[Sum]:
    """Of each indicator, whether the parts that are answered add up."""
    withheld = {figure.indicator for figure in figures if figure.suppressed}
    unknown = {figure.indicator for figure in figures if figure.value is None and not figure.suppressed}
    answered = {figure.indicator for figure in figures}
    found = []
    for one in indicators:
        if one.code not in answered:
            vi = "Không có số liệu nào để cộng."
            en = "There are no figures to add up."
            found.append(Sum(one.code, adds_up=False, vi=vi, en=en))
        elif not one.is_additive:
            vi = "Là tỷ lệ: giá trị chung tính từ tổng tử số và tổng mẫu số, không phải từ các tỷ lệ thành phần."
            en = "A ratio: the whole follows from the sums of numerators and denominators, not from the parts' values."
            found.append(Sum(one.code, adds_up=False, vi=vi, en=en))
        elif one.code in withheld:
            vi = "Có ô bị che vì có thể làm lộ từng người."
            en = "Some cells are withheld since they could point at persons."
            found.append(Sum(one.code, adds_up=False, vi=vi, en=en))
        elif one.code in unknown:
            vi = "Có đơn vị chưa có dữ liệu; thiếu dữ liệu không phải là 0."
            en = "Some units have no data; missing is not zero."
            found.append(Sum(one.code, adds_up=False, vi=vi, en=en))
        else:
            found.append(Sum(one.code, adds_up=True))
    return found
