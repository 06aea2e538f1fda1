"""How unusual a count is: medians, and tails of the Poisson and the binomial distribution. Exact sums, no tables."""

import math
from collections.abc import Sequence
from statistics import median


def poisson_tail(count: int, expected: float) -> float:
    """Probability of `count` or more where `expected` is usual."""
    if count <= 0:
        return 1.0
    if expected <= 0:
        return 0.0
    term = below = math.exp(-expected)
    if not term:  # So large that the first terms vanish: the normal approximation is exact enough there.
        return 0.5 * math.erfc((count - 0.5 - expected) / math.sqrt(2 * expected))
    for number in range(1, count):
        term *= expected / number
        below += term
    return min(max(1.0 - below, 0.0), 1.0)


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
