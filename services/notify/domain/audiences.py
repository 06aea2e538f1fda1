"""Audiences as rules: plain values that are kept with an announcement and resolved when it leaves."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Group:
    """Who holds one of the roles at one of the units below a unit. An empty `unit` is the issuing one."""

    unit: str
    roles: tuple[str, ...]
    kinds: tuple[str, ...] = ()
    labels: tuple[str, ...] = ()
    edge_type: str = ""
    silent_days: int = 0

    @property
    def narrows(self) -> bool:
        """Whether it means some units below its unit only."""
        return bool(self.kinds or self.labels or self.silent_days)


@dataclass(frozen=True, slots=True)
class AudienceRule:
    """Whom an announcement is for."""

    groups: tuple[Group, ...] = ()
    subjects: tuple[str, ...] = ()
    everybody: bool = False

    def kept(self) -> dict[str, Any]:
        """As it is stored."""
        return asdict(self)

    @classmethod
    def of(cls, kept: Mapping[str, Any]) -> "AudienceRule":
        """Read back what was stored; what a newer version added is left out."""
        return cls(
            groups=tuple(
                Group(
                    unit=group["unit"],
                    roles=tuple(group["roles"]),
                    kinds=tuple(group["kinds"]),
                    labels=tuple(group["labels"]),
                    edge_type=group["edge_type"],
                    silent_days=group["silent_days"],
                )
                for group in kept["groups"]
            ),
            subjects=tuple(kept["subjects"]),
            everybody=bool(kept["everybody"]),
        )


@dataclass(frozen=True, slots=True)
class Member:
    """Somebody whom an audience reaches, and for which unit and role; an empty role: named one by one."""

    subject: str
    unit_id: int
    role: str


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an audience reaches, each once; and of which units it reaches nobody."""

    members: Sequence[Member]
    unit_ids: Sequence[int]
    unreached: Sequence[int]
