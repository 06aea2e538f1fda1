"""Schools counted by state, as a whole and in parts that add up to it."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from services.sync.domain.coverage import CoverageState


@dataclass(frozen=True, slots=True)
class Standing:
    """What counting needs of a school."""

    school_id: int
    state: int  # 0: not looked at yet.
    must_connect: bool
    ever_sent: bool
    source: str


@dataclass(slots=True)
class Sums:
    """Schools counted."""

    school: int = 0
    must_connect: int = 0
    ever_connected: int = 0  # Of those that have to.
    connected: int = 0
    late: int = 0
    failing: int = 0
    silent: int = 0
    unknown: int = 0

    def add(self, one: Standing) -> None:
        """Count a school."""
        self.school += 1
        self.must_connect += one.must_connect
        self.ever_connected += one.must_connect and one.ever_sent
        name = CoverageState(one.state).name.lower() if one.state else "unknown"
        setattr(self, name, getattr(self, name) + 1)


def count(schools: Iterable[Standing], *, part: Callable[[Standing], str]) -> tuple[Sums, dict[str, Sums]]:
    """All schools together, and by the part each is in, those with most schools that are not connected first."""
    total, parts = Sums(), dict[str, Sums]()
    for one in schools:
        total.add(one)
        parts.setdefault(part(one), Sums()).add(one)
    return total, dict(sorted(parts.items(), key=lambda item: (item[1].connected - item[1].school, item[0])))
