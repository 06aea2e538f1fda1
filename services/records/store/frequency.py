"""How often a term stands in records, as the database's own statistics say: what is common is known without a look.

Refreshed now and then; before the first ANALYZE nothing is known, and nothing is taken for common.
"""

import math
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.objects import ObjectSpec
from services.records.store.driver import fetch
from services.records.store.search import Way

REFRESHED_SECONDS: Final = 300.0
RARE: Final = (
    0.001  # Most that is thought of a term the statistics do not list: of few names even the rarest is common.
)


@dataclass(frozen=True, slots=True)
class Frequency:
    """Of the records of one type: their number and the share in which each common term stands."""

    count: float = 0
    shares: Mapping[str, float] = field(default_factory=dict)
    rare: float = 0  # the share of the rarest term that is known

    def expected(self, way: Way) -> float:
        """How many candidates a way has, taking its terms for independent; 0 where nothing is known."""
        if way.column:
            return 0
        shares = [self.shares.get(term, self.rare) for term in way.contains]
        shares += [min(1.0, sum(self.shares.get(term, self.rare) for term in terms)) for terms in way.among]
        return self.count * math.prod(shares)


def frequency_of(count: float, terms: Sequence[str], shares: Sequence[float]) -> Frequency:
    """The frequencies that statistics tell; bounds and the share of nulls may stand behind the shares."""
    known = dict(zip(terms, shares, strict=False))
    return Frequency(count, known, min(RARE, *known.values()) if known else 0.0)


class Frequencies:
    """Remembers what the statistics say."""

    def __init__(self) -> None:
        self._known: dict[ObjectSpec, tuple[float, Frequency]] = {}

    async def of(self, connection: AsyncConnection, spec: ObjectSpec) -> Frequency:
        """The frequencies of one type of record."""
        now = time.monotonic()
        read, frequency = self._known.get(spec, (-math.inf, Frequency()))
        if now - read > REFRESHED_SECONDS:
            rows = await fetch(connection, _STATISTICS, spec.field, f"{spec.field}_terms")
            frequency = Frequency()
            if rows:
                frequency = frequency_of(*rows[0])
            self._known[spec] = (now, frequency)
        return frequency


_STATISTICS: Final = (
    "SELECT held.reltuples, most_common_elems::text::text[], most_common_elem_freqs"
    " FROM pg_stats JOIN pg_class AS held ON held.oid = to_regclass($1)"
    " WHERE schemaname = current_schema() AND tablename = $2 AND most_common_elems IS NOT NULL AND held.reltuples > 0"
)
