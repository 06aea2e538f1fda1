"""People looked up: by the best and cheapest rule that finds any; a weaker one is tried when one asks for more.

Refuses to go through more than some thousand candidates: a word more costs whoever searches less than waiting for all
of them.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from services.records.domain.asked import Asked, Rule
from services.records.domain.objects import ObjectSpec
from services.records.store import search
from services.records.store.frequency import Frequencies, Frequency
from services.records.store.search import Cursor, Question, Way
from services.records.usecases.search_steps import facets, patterns_of, rules_of, steps

CROWD: Final = 2 * search.MOST_CANDIDATES  # expected candidates that are too many without a look
FEW: Final = search.MOST_CANDIDATES // 2  # expected candidates that the index need not narrow further
MOST_SCHOOLS: Final = 128  # that narrow by the index; more of them hardly narrow, and are looked at row by row


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
    """The next hits in order; whether weaker rules are still to be tried, and whether they are left out for good."""

    hits: list[Hit]
    more: bool = False
    too_many: bool = False


class PeopleSearch:
    """Looks people up. Each search reads in a transaction of its own."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._frequencies = Frequencies()

    async def search(self, spec: ObjectSpec, asked: Asked, within: Within, *, after: Cursor | None, most: int) -> Hits:
        """The hits after a place, at most `most`."""
        if not within.schools:
            return Hits([])
        narrow = not within.everywhere and len(within.schools) <= MOST_SCHOOLS
        beside = facets(spec, asked, sorted(within.schools) if narrow else [])
        question = Question(asked, patterns_of(asked), within.schools, after)
        async with self._database.transaction() as connection:
            await search.prepare(connection)
            frequency = await self._frequencies.of(connection, spec)
            return await _Search(connection, spec, question, beside, frequency).hits(most)


@dataclass(frozen=True, slots=True)
class _Search:
    """One search under way."""

    connection: AsyncConnection
    spec: ObjectSpec
    question: Question
    beside: Way
    frequency: Frequency

    async def hits(self, most: int) -> Hits:
        """Try one step after another until one leads to hits, or to too many candidates."""
        asked, after = self.question.asked, self.question.after
        rules = rules_of(asked)
        async for step in steps(self.connection, self.spec, asked):
            if after is not None and max(step.degrees) < after[0] // 2:
                continue
            found = await self._find(step.ways, step.degrees, most)
            too_many = found.too_many
            if too_many and step.exact is not None:
                found = await self._find([step.exact], (search.EXACT,), most)
            hits = [Hit(rules[degree], cursor) for degree, cursor in found.hits]
            if too_many or hits:
                return Hits(hits, more=not too_many and not step.last, too_many=too_many)
        return Hits([])

    async def _find(self, ways: Sequence[Way], degrees: Sequence[int], most: int) -> search.Found:
        whole = [_both(way, self.beside) for way in ways]
        if not whole or Way() in whole or any(self.frequency.expected(way) > CROWD for way in whole):
            return search.Found([], too_many=True)
        rarest = [self._rarest(way) for way in whole]
        found = await self._judged(rarest, degrees, most)
        if found.too_many and list(map(_size, rarest)) != list(map(_size, whole)):
            # Fewer were expected than there are.
            found = await self._judged(whole, degrees, most)
        return found

    async def _judged(self, ways: Sequence[Way], degrees: Sequence[int], most: int) -> search.Found:
        return await search.find(self.connection, self.spec, ways, self.question, degrees=degrees, most=most)

    def _rarest(self, way: Way) -> Way:
        """A way by its rarest terms, no more than lead to few candidates, each of which is judged by all of them.

        A long list of a common word costs the index more than judging the candidates it would spare.
        """
        if way.column or not self.frequency.count:
            return way
        terms = [Way(contains=(term,)) for term in way.contains] + [Way(among=(one,)) for one in way.among]
        chosen = Way()
        for term in sorted(terms, key=self.frequency.expected):
            if chosen != Way() and self.frequency.expected(chosen) <= FEW:
                break
            chosen = _both(chosen, term)
        return replace(chosen, words=way.words)


def _both(one: Way, other: Way) -> Way:
    if one.column:
        return one
    return Way((*one.contains, *other.contains), (*one.among, *other.among), words=one.words)


def _size(way: Way) -> int:
    return len(way.contains) + len(way.among)
