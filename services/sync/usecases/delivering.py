"""What batches mean for the coverage of their schools: rows by day, collections that arrived, batches refused whole."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Protocol

from services.sync.convert.rows import Checked
from services.sync.domain.batches import Origin, RowState
from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.coverage import Arrival, DayCounts, Delivery


class Answered(Protocol):
    """A batch that records has answered."""

    @property
    def slices(self) -> Iterable[Checked]:
        """Its rows with what became of them."""


def deliveries(origin: Origin, parcels: Iterable[Answered], *, now: datetime) -> Iterator[Delivery]:
    """What each school sent in each batch. History arrives, but is no day's work of a school."""
    for parcel in parcels:
        counts: Counter[tuple[int, int]] = Counter()
        taken: dict[int, dict[tuple[str, int], Arrival]] = {}
        for one in parcel.slices:
            counts.update(one.counts)
            for (school_id, (record, year, day)), number in one.taken.items():
                arrival = Arrival(now, now, origin.source, number, day)
                arrivals = taken.setdefault(school_id, {})
                key = COLLECTIONS.get(record, record), year
                arrivals[key] = arrivals[key].beside(arrival) if key in arrivals else arrival
        for school_id in sorted({school_id for school_id, _ in counts}):
            told = DayCounts() if origin.backfill else _day(counts, school_id)
            yield Delivery(school_id, told, taken.get(school_id, {}), refused=told.refused_batches > 0)


def together(every: Iterable[Delivery]) -> list[Delivery]:
    """Each school once."""
    schools: dict[int, Delivery] = {}
    for one in every:
        before = schools.get(one.school_id)
        schools[one.school_id] = before.beside(one) if before else one
    return list(schools.values())


def _day(counts: Counter[tuple[int, int]], school_id: int) -> DayCounts:
    taken = counts[school_id, RowState.ACCEPTED] + counts[school_id, RowState.UNCHANGED]
    rejected = counts[school_id, RowState.REJECTED]
    return DayCounts(
        taken=taken,
        rejected=rejected,
        held=counts[school_id, RowState.HELD],
        batches=1,
        refused_batches=int(not taken and rejected > 0),
    )
