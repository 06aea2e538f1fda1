"""People looked up: from the cheapest and best rule to the weakest, until a page is full.

Words that exist in names stand for what was typed: whole, as a beginning, as a part, a letter away. Refuses to go
through more than some thousand candidates: a word more costs whoever searches less than waiting for all of them.
"""

from collections.abc import AsyncIterator, Collection, Sequence
from dataclasses import dataclass
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from services.records.domain.asked import Asked, Rule
from services.records.domain.objects import ObjectSpec
from services.records.domain.spelling import near
from services.records.store import search, terms, words
from services.records.store.search import Cursor, Patterns, Way
from services.records.store.terms import LOOKUPS

MOST_SCHOOLS: Final = 128  # that narrow by the index; more of them hardly narrow, and are looked at row by row
SHORTEST_PART: Final = 2  # letters that a part of a word has at least


@dataclass(frozen=True, slots=True)
class Within:
    """Where to look."""

    schools: Collection[int]
    everywhere: bool  # whether those are all there are


@dataclass(frozen=True, slots=True)
class Hit:
    """A record found, and why."""

    rule: Rule
    cursor: Cursor

    @property
    def identity(self) -> tuple[int, str]:
        """School and key."""
        return self.cursor[2:]


@dataclass(frozen=True, slots=True)
class Hits:
    """The next hits in order, one more than a page where there are; and whether weaker ones are left out."""

    hits: list[Hit]
    too_many: bool = False


@dataclass(frozen=True, slots=True)
class _Step:
    """Degrees that share candidates; without a way they are known to be too many. `exact` leads to the best alone."""

    degrees: tuple[int, ...]
    ways: Sequence[Way]
    exact: Way | None = None


async def search_people(
    database: Database, spec: ObjectSpec, asked: Asked, within: Within, *, after: Cursor | None, most: int
) -> Hits:
    """The hits after a place, at most `most`."""
    if not within.schools:
        return Hits([])
    async with database.transaction() as connection:
        await search.prepare(connection)
        return await _search(connection, spec, asked, within, after=after, most=most)


async def _search(
    connection: AsyncConnection, spec: ObjectSpec, asked: Asked, within: Within, *, after: Cursor | None, most: int
) -> Hits:
    question, rules = search.Question(asked, _patterns(asked), within.schools, after), _rules(asked)
    hits: list[Hit] = []

    async def found(degrees: Sequence[int], ways: Sequence[Way]) -> bool:
        """Add the next hits of these degrees; False when there are too many candidates."""
        page = await search.find(connection, spec, ways, question, degrees=degrees, most=most - len(hits))
        hits.extend(Hit(rules[degree], cursor) for degree, cursor in page.hits)
        return not page.too_many

    async for step in _steps(connection, spec, asked, within):
        if after is not None and max(step.degrees) < after[0] // 2:
            continue
        if not step.ways or not await found(step.degrees, step.ways):
            if step.exact is not None:
                await found((search.EXACT,), [step.exact])
            return Hits(hits, too_many=True)
        if len(hits) >= most:
            break
    return Hits(hits)


async def _steps(connection: AsyncConnection, spec: ObjectSpec, asked: Asked, within: Within) -> AsyncIterator[_Step]:
    facets = _facets(spec, asked, within)
    if asked.ids:
        yield _Step((search.WORDS,), _by_id(spec, asked.ids[0]))
        return
    if not asked.words:
        yield _Step((search.WORDS,), [facets] if facets.contains or facets.among else [])
        return
    typed = asked.words
    beginning = await words.beginning_with(connection, typed)
    whole = all(word in known for word, known in zip(typed, beginning, strict=True))
    if whole:
        exact = _narrowed(facets, *typed, terms.word_count(len(asked.name.split())))
        yield _Step((search.EXACT, search.WORDS), [_narrowed(facets, *typed)], exact)
    if all(beginning) and any(len(known) > 1 for known in beginning):
        yield _Step((search.PREFIX,), _among(facets, beginning))
    if min(map(len, typed)) >= SHORTEST_PART:
        parts = await words.containing(connection, typed)
        if all(parts) and parts != beginning:
            yield _Step((search.PART,), _among(facets, parts))
    if ways := await _near(connection, facets, typed, beginning):
        yield _Step((search.TYPO,), ways)


def _facets(spec: ObjectSpec, asked: Asked, within: Within) -> Way:
    """What narrows beside the name."""
    lookup = LOOKUPS[spec.field]
    years = {*asked.birth_years, *(day.year for day in asked.birth_dates)}
    contains = [terms.birth_year(year) for year in sorted(years)]
    contains += [terms.school_year(asked.school_year)] if asked.school_year else []
    contains += [terms.grade(code) for code in asked.grades] if lookup.placed else []
    among = [tuple(terms.ending(mark, value) for mark in lookup.ids.values()) for value in asked.endings]
    if not within.everywhere and len(within.schools) <= MOST_SCHOOLS:
        among.append(tuple(terms.school(school_id) for school_id in sorted(within.schools)))
    return Way(tuple(contains), tuple(among))


def _by_id(spec: ObjectSpec, value: str) -> list[Way]:
    by_number = [
        Way((terms.ending(mark, value),), column=column, values=(value,))
        for column, mark in LOOKUPS[spec.field].ids.items()
    ]
    keys = tuple(dict.fromkeys((value, value.upper(), value.lower())))
    return [*by_number, Way(column="key", values=keys)]


def _narrowed(facets: Way, *more: str) -> Way:
    return Way((*facets.contains, *more), facets.among)


def _among(facets: Way, spellings: words.Spellings) -> list[Way]:
    """One way over what each word typed may stand for; none when that is too much."""
    if max(map(len, spellings)) > words.MOST_SPELLINGS:
        return []
    only = [next(iter(known)) for known in spellings if len(known) == 1]
    several = tuple(tuple(sorted(known)) for known in spellings if len(known) > 1)
    return [Way((*facets.contains, *only), (*facets.among, *several))]


async def _near(
    connection: AsyncConnection, facets: Way, typed: Sequence[str], beginning: words.Spellings
) -> list[Way]:
    """For each word typed, the way in which it alone has a wrong letter; the others exist as they are."""
    known = [word in found for word, found in zip(typed, beginning, strict=True)]
    meant = [near(word) for word in typed]
    existing = await words.existing(connection, set[str]().union(*meant))
    ways = []
    for place, spellings in enumerate(meant):
        others = [word for number, word in enumerate(typed) if number != place]
        if all(found for number, found in enumerate(known) if number != place) and spellings & existing:
            ways.append(Way((*facets.contains, *others), (*facets.among, tuple(sorted(spellings & existing)))))
    return ways


def _patterns(asked: Asked) -> Patterns:
    escaped = [word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_") for word in asked.words]
    parts = tuple(f"%{word}%" for word in escaped)
    spelled = tuple(f"% {key} %" for key in asked.spelled)
    if asked.ids:
        return Patterns("", parts, (), (), spelled)
    whole, prefixes = (tuple(f"% {word} %" for word in escaped), tuple(f"% {word}%" for word in escaped))
    return Patterns(asked.name if asked.words else "", whole, prefixes, parts, spelled)


def _rules(asked: Asked) -> dict[int, Rule]:
    if asked.ids or not asked.words:
        return {search.WORDS: Rule.ID if asked.ids else Rule.CONDITIONS}
    return {
        search.EXACT: Rule.EXACT,
        search.WORDS: Rule.WORDS,
        search.PREFIX: Rule.PREFIX,
        search.PART: Rule.PART,
        search.TYPO: Rule.TYPO,
    }
