"""Compares what is here with what is there, and recognises people who stand under another id on the other side."""

import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from enum import IntEnum

from services.sync.domain.composing import Content


class DifferenceKind(IntEnum):
    """Kind of a difference, as the interface numbers it."""

    MISSING_THERE = 1
    MISSING_HERE = 2
    DIFFERING = 3


@dataclass(frozen=True, slots=True)
class Match:
    """How names are compared: tones and diacritics, blanks, capitals matter or do not."""

    ignore_tones: bool = False
    ignore_spaces: bool = False
    ignore_case: bool = False

    def folded(self, name: str) -> str:
        """A name in the form that is compared; one form of each letter in any case (NFC)."""
        said = unicodedata.normalize("NFC", name)
        if self.ignore_tones:
            said = "".join(one for one in unicodedata.normalize("NFD", said) if not unicodedata.combining(one))
            said = said.replace("đ", "d").replace("Đ", "D")
        if self.ignore_case:
            said = said.casefold()
        return "".join(said.split()) if self.ignore_spaces else " ".join(said.split())


def differing_fields(ours: Content, theirs: Content) -> list[str]:
    """Names of the fields whose values are not the same, in order."""
    return sorted(name for name in {*ours, *theirs} if ours.get(name) != theirs.get(name))


def compare(ours: Mapping[str, int | None], theirs: Mapping[str, int]) -> tuple[list[str], list[str], list[str]]:
    """Ids missing there, missing here, and on both sides with another digest (None: not composed yet)."""
    missing_there = sorted(ours.keys() - theirs.keys())
    missing_here = sorted(theirs.keys() - ours.keys())
    return missing_there, missing_here, sorted(one for one in ours.keys() & theirs.keys() if ours[one] != theirs[one])


def matched(
    missing_there: Iterable[tuple[str, Content]], missing_here: Iterable[tuple[str, Content]], match: Match
) -> dict[str, str]:
    """Of records missing on one side, who seems to be the same person on the other: by name and date of birth.

    Both directions; a pair only where there is just one candidate each.
    """
    here, there = _by_person(missing_there, match), _by_person(missing_here, match)
    pairs: dict[str, str] = {}
    for person, ours in here.items():
        theirs = there.get(person, [])
        if len(ours) == len(theirs) == 1:
            pairs[ours[0]] = theirs[0]
            pairs[theirs[0]] = ours[0]
    return pairs


def _by_person(records: Iterable[tuple[str, Content]], match: Match) -> dict[tuple[str, str], list[str]]:
    found: dict[tuple[str, str], list[str]] = {}
    for record_id, content in records:
        name, born = content.get("HO_TEN", ""), content.get("NGAY_SINH", "")
        if name and born:
            found.setdefault((match.folded(name), born), []).append(record_id)
    return found
