"""Facts: the newest known state of one thing, and how it changes by time alone."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.alerts.domain.shapes import KINDS, SHAPES, Scalar

_HOUR = timedelta(hours=1)


@dataclass(frozen=True, slots=True)
class Fact:
    """The newest known state of one thing: `subject` within a unit.

    `since` is the instant from which the kind's clock counts hours; None where none runs. `baseline` says that the fact
    came from history. `look_time` is when somebody has to make the fact anew, as at a deadline.
    """

    kind: str
    unit_id: int
    subject: str
    version: int
    values: Mapping[str, Scalar]
    baseline: bool = False
    since: datetime | None = None
    look_time: datetime | None = None

    @property
    def key(self) -> tuple[int, str, str]:
        """What identifies the fact, in the order in which facts are locked."""
        return self.unit_id, self.kind, self.subject

    def at(self, now: datetime) -> dict[str, Scalar]:
        """Every field of the kind's shape at an instant; a field stored facts do not know yet is empty."""
        shape = SHAPES[self.kind]
        values: dict[str, Scalar] = {name: kind() for name, kind in shape.items()}
        for name, value in self.values.items():
            # JSON keeps no difference between 1 and 1.0; CEL does.
            values[name] = float(value) if shape.get(name) is float and not isinstance(value, float) else value
        if self.since is not None:
            values[KINDS[self.kind].clock] = max(0, (now - self.since) // _HOUR)
        return values

    def next_look(self, now: datetime) -> datetime | None:
        """When the fact changes by time alone: at its clock's next whole hour, or when it has to be made anew."""
        if self.since is None:
            return self.look_time
        return self.since + (max(0, (now - self.since) // _HOUR) + 1) * _HOUR


def newest(facts: Iterable[Fact]) -> list[Fact]:
    """One fact per key, the one with the highest version, in the order in which facts are locked."""
    kept: dict[tuple[int, str, str], Fact] = {}
    for fact in facts:
        known = kept.get(fact.key)
        if known is None or known.version < fact.version:
            kept[fact.key] = fact
    return [kept[key] for key in sorted(kept)]
