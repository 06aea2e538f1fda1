"""What a profile is: a set of field names that rows can be sent in, and that problems with them are told in.

A profile reads one row, a JSON object, into the fields of `iocedu.records.v1.Row`, and knows what its sender calls each
of these. `tables.py` makes profiles from tables, `shapes.py` the one of our own names.
"""

from collections.abc import Callable, Mapping
from typing import Any, Protocol

from services.sync.domain.problems import Called

Raw = Mapping[str, Any]
Fields = dict[str, Any]
Fits = Callable[[str], bool]  # Whether a value has the form of its field.
Shown = Mapping[str, "Shown | Fits"]  # Fields of a row that are not personal, by what fits them; nested ones inside.


class Profile(Protocol):
    """A set of field names that rows can be sent in."""

    @property
    def name(self) -> str:
        """What senders choose it by."""

    @property
    def shown(self) -> Shown:
        """Which fields may be shown to people who must not see personal data."""

    def read(self, raw: Raw) -> Fields:
        """Make the fields of a row; raises `RowRefusedError`."""

    def unverified(self, raw: Raw) -> list[str]:
        """The fields of a row whose codes no catalogue that is loaded has."""

    def called(self, path: str, raw: Raw) -> Called:
        """What the sender of this row calls the field at our path, for example `pupil.birth_date`, `school`, `key`."""
