"""Persons behind records: one identity over all years and schools, found by ids first, by name and birth second.

Records come from schools that know nothing of each other, and ids are typed by hand. An id therefore links two records
only where name or date of birth agree as well; what agrees by name and birth alone is linked within one school from
year to year, and is else a suspicion for a person to decide.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import date, datetime
from enum import StrEnum
from typing import Final, NamedTuple

from services.records.domain.names import search_name
from services.records.domain.objects import BY_FIELD

PUPIL, STAFF_MEMBER = BY_FIELD["pupil"], BY_FIELD["staff_member"]
PERSONS: Final = (PUPIL, STAFF_MEMBER)
MOTHER: Final = "TEN_ME"  # the mother's name in the ministry's specification, kept in `further`

Identity = tuple[int, int, str]  # school, type and key of a record

_PERSONAL_ID: Final = re.compile(r"[0-9]{12}")
_MINISTRY_CODE: Final = re.compile(r"[0-9]{10}")
_MALE, _FEMALE = "1", "2"


class LinkRule(StrEnum):
    """Why a record is a person's."""

    FIRST = "FIRST"  # nobody like it was known
    PERSONAL_ID = "PERSONAL_ID"
    MINISTRY_CODE = "MINISTRY_CODE"
    RENAMED = "RENAMED"  # the source changed the record's key
    NEXT_YEAR = "NEXT_YEAR"  # the same name and birth in the same school in another school year


class Traits(NamedTuple):
    """What a record says about who it is. Ids that cannot be one are empty, and so is what a deleted record said."""

    school_id: int
    type: int
    key: str
    deleted: bool
    school_year: int
    in_stock: bool  # a pupil who is there
    secondary: bool  # beside a main enrolment elsewhere
    name: str  # folded
    birth_date: date | None
    sex: str
    mother: str  # folded
    personal_id: str
    ministry_code: str

    @property
    def identity(self) -> Identity:
        """Which record it is."""
        return self[:3]


class MergedPair(NamedTuple):
    """The persons of a merge, and its end, if it has one."""

    kept_id: int
    gone_id: int
    undone_by: str
    undo_reason: str


# What a record says, as it is stored: school, type, key, whether it is gone, school year, status, whether secondary,
# folded name, birth, sex, mother's name, personal number, ministry's code.
Said = tuple[int, int, str, bool, int, str, bool | None, str, date | None, str, str, str, str]


class Linked(NamedTuple):
    """A record and the person it belongs to."""

    traits: Traits
    person_id: int


class Link(NamedTuple):
    """What is decided of a record. A person below 0 is a new one; equal numbers are the same."""

    traits: Traits
    person_id: int
    rule: LinkRule | None  # None: it was this person's before


class Held(NamedTuple):
    """A record as it stands with its person."""

    person_id: int
    school_id: int
    type: int
    key: str
    deleted: bool
    school_year: int
    in_stock: bool
    secondary: bool
    rule: str
    counted_elsewhere: bool

    @property
    def identity(self) -> Identity:
        """Which record it is."""
        return self.school_id, self.type, self.key


class Merge(NamedTuple):
    """A merge in force."""

    merge_id: int
    kept_id: int
    gone_id: int
    reason: str
    merge_time: datetime
    merged_by: str


def traits_of(said: Said, *, in_stock: Collection[str]) -> Traits:
    """Read what a record says; `in_stock` are the statuses of pupils who are there."""
    school_id, number, key, deleted, year, status, secondary, name, birth_date, sex, mother, personal_id, code = said
    if deleted:
        return Traits(school_id, number, key, True, 0, False, False, "", None, "", "", "", "")
    return Traits(
        school_id,
        number,
        key,
        False,
        year,
        number == PUPIL.number and status in in_stock,
        bool(secondary),
        name,
        birth_date,
        sex,
        search_name(mother),
        firm_personal_id(personal_id, birth_date=birth_date, sex=sex),
        firm_ministry_code(code),
    )


def firm_personal_id(text: str, *, birth_date: date | None, sex: str) -> str:
    """A personal identity number that can be this person's, else nothing.

    Twelve digits: place, century and sex, year of birth, a number (Nghị định 137/2015/NĐ-CP, Điều 13). The fourth digit
    is 0 and 1 for men and women born in the 20th century, 2 and 3 in the 21st.
    """
    if not _PERSONAL_ID.fullmatch(text) or len(set(text)) == 1:
        return ""
    century, female = divmod(int(text[3]), 2)
    if sex in (_MALE, _FEMALE) and (sex == _FEMALE) != bool(female):
        return ""
    if birth_date is not None and (1900 + 100 * century + int(text[4:6])) != birth_date.year:
        return ""
    return text


def firm_ministry_code(text: str) -> str:
    """A code the ministry gave, ten digits; a temporary one identifies nobody beyond its record."""
    return text if _MINISTRY_CODE.fullmatch(text) and len(set(text)) > 1 else ""


def contradict(one: Traits, other: Traits) -> bool:
    """Whether two records have different ids of one kind, or the same person would be of two sexes."""
    return (
        bool(one.personal_id and other.personal_id and one.personal_id != other.personal_id)
        or bool(one.ministry_code and other.ministry_code and one.ministry_code != other.ministry_code)
        or {one.sex, other.sex} == {_MALE, _FEMALE}
    )


def alike(one: Traits, other: Traits) -> bool:
    """Whether an id that both have is believed: name or date of birth agree as well, and nothing contradicts."""
    agree = one.name == other.name or (one.birth_date is not None and one.birth_date == other.birth_date)
    return agree and not contradict(one, other)


def strangers(one: Traits, other: Traits) -> bool:
    """Whether nothing speaks for two records being one person's: neither name nor date of birth, and no id."""
    return (
        not (one.deleted or other.deleted)
        and one.name != other.name
        and (one.birth_date is None or one.birth_date != other.birth_date)
        and (not one.personal_id or one.personal_id != other.personal_id)
        and (not one.ministry_code or one.ministry_code != other.ministry_code)
    )


class Known:
    """Records whose persons are known, found by what they have in common with another."""

    def __init__(self, linked: Iterable[Linked] = ()) -> None:
        self._by_identity: dict[Identity, Linked] = {}
        self._by_trait: dict[tuple[object, ...], dict[Identity, Linked]] = defaultdict(dict)
        for one in linked:
            self.put(one)

    def put(self, linked: Linked) -> None:
        """Add a record, or what it says now."""
        identity = linked.traits.identity
        if (before := self._by_identity.get(identity)) is not None:
            for trait in _traits(before.traits):
                self._by_trait[trait].pop(identity, None)
        self._by_identity[identity] = linked
        for trait in _traits(linked.traits):
            self._by_trait[trait][identity] = linked

    def record(self, identity: Identity) -> Linked | None:
        """A record, if it is known."""
        return self._by_identity.get(identity)

    def person(self, identity: Identity) -> int | None:
        """Whose a record is, if that is known."""
        linked = self._by_identity.get(identity)
        return linked.person_id if linked else None

    def living(self, person_id: int) -> list[Traits]:
        """The records of a person that are not gone."""
        return [
            one.traits for one in self._by_identity.values() if one.person_id == person_id and not one.traits.deleted
        ]

    def sharing(self, *trait: object) -> Iterable[Linked]:
        """Records that have a trait, in a steady order."""
        return (linked for _, linked in sorted(self._by_trait.get(trait, {}).items()))


def _traits(one: Traits) -> Iterable[tuple[object, ...]]:
    if one.deleted:
        return
    if one.personal_id:
        yield LinkRule.PERSONAL_ID, one.personal_id
    if one.ministry_code:
        yield LinkRule.MINISTRY_CODE, one.ministry_code
    if one.birth_date is not None:
        yield LinkRule.NEXT_YEAR, one.school_id, one.type, one.name, one.birth_date


def link(
    changed: Iterable[Traits],
    known: Known,
    *,
    former: Mapping[Identity, Sequence[Identity]],
    left: Collection[Identity] = (),
) -> list[Link]:
    """Decide whose each changed record is, in order; `known` then knows them too.

    A record stays with its person whatever it says later: what then speaks for another person is a suspicion. One that
    says the same as before is left out. `former` names the records that a renamed one was before, the nearest first. A
    record that ended before it was linked is nobody's; one that comes back after its end is looked at anew where the
    person has gone on without it, for a key may have been given to somebody else. So is one that is in `left`: its
    record has gone on under another key, and its end is not in the feed any more: it came back before it was seen.
    """
    links: list[Link] = []
    fresh = 0
    for one in changed:
        held = known.record(one.identity)
        if held is not None and held.traits == one:
            continue
        person, rule = (held.person_id if held and not _given_away(one, held, known, left) else None), None
        if person is None:
            if one.deleted:
                continue
            found = _person_of(one, known, former.get(one.identity, ()))
            if found is None:
                fresh -= 1
                found = fresh, LinkRule.FIRST
            person, rule = found
        known.put(Linked(one, person))
        links.append(Link(one, person, rule))
    return links


def _given_away(one: Traits, held: Linked, known: Known, left: Collection[Identity]) -> bool:
    """Whether a record that was gone comes back as one that none of its person's other records is like."""
    if one.deleted or not (held.traits.deleted or one.identity in left):
        return False
    living = [other for other in known.living(held.person_id) if other.identity != one.identity]
    return bool(living) and not any(alike(one, other) for other in living)


def _person_of(one: Traits, known: Known, former: Iterable[Identity]) -> tuple[int, LinkRule] | None:
    for before in former:
        if (person := known.person(before)) is not None:
            return person, LinkRule.RENAMED
    for rule, value in ((LinkRule.PERSONAL_ID, one.personal_id), (LinkRule.MINISTRY_CODE, one.ministry_code)):
        for linked in known.sharing(rule, value) if value else ():
            if alike(one, linked.traits):
                return linked.person_id, rule
    namesakes = list(known.sharing(LinkRule.NEXT_YEAR, one.school_id, one.type, one.name, one.birth_date))
    if len({linked.person_id for linked in namesakes}) != 1:
        return None
    if any(linked.traits.school_year == one.school_year or contradict(one, linked.traits) for linked in namesakes):
        return None
    return namesakes[0].person_id, LinkRule.NEXT_YEAR
