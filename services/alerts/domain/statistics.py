"""How unusual a count is: medians, and the tail of the binomial distribution. Exact sums, no tables."""

import math
from collections.abc import Sequence
from statistics import median


def binomial_tail(count: int, among: int, share: float) -> float:
    """Probability of `count` or more among `among` where each is one with probability `share`."""
    if count <= 0:
        return 1.0
    if share <= 0:
        return 0.0
    if share >= 1:
        return 1.0
    total = math.fsum(
        math.comb(among, number) * share**number * (1 - share) ** (among - number) for number in range(count, among + 1)
    )
    return min(total, 1.0)


def usual_absence(scheduled: int, before: Sequence[tuple[int, int]]) -> float:
    """How many absent are usual among those expected: the median share of earlier days, (scheduled, absent) each."""
    shares = [absent / expected for expected, absent in before if expected > 0]
    return round(median(shares) * scheduled, 2) if shares else 0.0
