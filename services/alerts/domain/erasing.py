"""What records erased or restricted of a person at a school, by type of record."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Erasure:
    """A request that was carried out in records; keys by type of record."""

    school_id: int
    data_request_id: int
    erased: Mapping[int, frozenset[str]]
    restricted: Mapping[int, frozenset[str]]
    pupil_type: int

    @property
    def erased_pupils(self) -> frozenset[str]:
        """Keys of pupils of whom nothing is left."""
        return self.erased.get(self.pupil_type, frozenset())

    @property
    def pupils(self) -> frozenset[str]:
        """Keys of pupils of whom nothing is to be made, erased or restricted."""
        return self.erased_pupils | self.restricted.get(self.pupil_type, frozenset())

    @property
    def erased_keys(self) -> list[str]:
        """All keys of what was erased, in order."""
        return sorted(key for keys in self.erased.values() for key in keys)
