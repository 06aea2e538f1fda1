"""How unlikely a count is: tails of distributions, by exact sums, no tables."""

import math


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
