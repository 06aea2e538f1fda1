"""What a person's record is found by, as the one search index holds it: words of the name and marked facets.

The expressions stand here as in the migration that makes the index; a query that spells them otherwise would not use
it. Marks: `@` school, `~` school year, `=` year of birth, `/` grade, `p` and `m` the last signs of the personal number
and of the ministry's code, `#` how many words the name has.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Final

ENDING: Final = 3  # signs of an id; many people share them, so the index stays small and a whole id is checked after


@dataclass(frozen=True, slots=True)
class Lookup:
    """How records of one type are looked up: its index, and what a candidate is further judged by."""

    terms: str
    ids: Mapping[str, str]  # column: mark of its last signs
    placed: bool  # whether there is a class and a grade

    @property
    def columns(self) -> tuple[str, ...]:
        """Columns that conditions look at."""
        placed = ("class_key", "grade") if self.placed else ()
        return ("birth_date", "level", "status", "school_year", *placed, *self.ids)


def _terms(table: str, own: str) -> str:
    return (
        f"string_to_array(search_name || ' @' || {table}.school_id::text || ' ~' || school_year::text"
        f" || ' =' || coalesce(extract(year FROM birth_date)::integer, 0)::text{own}"
        " || ' #' || (length(search_name) - length(replace(search_name, ' ', '')) + 1)::text, ' ')"
    )


_PERSONAL: Final = f" || ' p' || right(personal_id, {ENDING})"
_MINISTRY: Final = f" || ' m' || right(ministry_code, {ENDING})"

LOOKUPS: Final[Mapping[str, Lookup]] = MappingProxyType(
    {
        "pupil": Lookup(
            terms=_terms("pupil", f" || ' /' || grade{_PERSONAL}{_MINISTRY}"),
            ids=MappingProxyType({"personal_id": "p", "ministry_code": "m"}),
            placed=True,
        ),
        "staff_member": Lookup(
            terms=_terms("staff_member", _PERSONAL),
            ids=MappingProxyType({"personal_id": "p"}),
            placed=False,
        ),
    }
)


def school(school_id: int) -> str:
    """The term of a school."""
    return f"@{school_id}"


def school_year(year: int) -> str:
    """The term of a school year."""
    return f"~{year}"


def birth_year(year: int) -> str:
    """The term of a year of birth."""
    return f"={year}"


def grade(code: str) -> str:
    """The term of a grade."""
    return f"/{code}"


def word_count(count: int) -> str:
    """The term of names with so many words."""
    return f"#{count}"


def ending(mark: str, value: str) -> str:
    """The term of an id's last signs."""
    return f"{mark}{value[-ENDING:]}"
