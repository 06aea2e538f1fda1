"""The rules of a search as ways through the index, from the best to the weakest, each made only when it is reached.

What was typed stands for words that exist in names: itself, those it begins or is a part of, those a letter away.
"""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from itertools import permutations
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.domain.asked import Asked, Rule
from services.records.domain.objects import ObjectSpec
from services.records.domain.spelling import near
from services.records.store import search, terms, words
from services.records.store.search import Patterns, Way
from services.records.store.terms import LOOKUPS

SHORTEST_PART: Final = 2  # letters that a part of a word has at least
MOST_PARTS: Final = 5  # words of which parts are looked for; the name holds them in one of the orders they can have


@dataclass(frozen=True, slots=True)
class Step:
    """Degrees that share candidates; without a way these are known to be too many. `exact` leads to the best alone."""

    degrees: tuple[int, ...]
    ways: Sequence[Way]
    exact: Way | None = None
    last: bool = False  # whether no rule is weaker


async def steps(connection: AsyncConnection, spec: ObjectSpec, asked: Asked) -> AsyncIterator[Step]:
    """What to try, one after another."""
    if asked.ids:
        yield Step((search.WORDS,), _by_id(spec, asked.ids[0]), last=True)
        return
    if not asked.words:
        yield Step((search.WORDS,), [Way()], last=True)
        return
    typed = asked.words
    beginning = await words.beginning_with(connection, typed)
    whole = all(word in known for word, known in zip(typed, beginning, strict=True))
    if whole:
        exact = Way((*typed, terms.word_count(len(asked.name.split()))))
        yield Step((search.EXACT, search.WORDS), [Way(typed)], exact)
    if all(beginning) and any(known != {word} for word, known in zip(typed, beginning, strict=True)):
        yield Step((search.PREFIX,), _among(beginning))
    if _parts_count(typed):
        parts = await words.containing(connection, typed)
        if all(parts) and parts != beginning:
            yield Step((search.PART,), _among(parts))
    if ways := await _near(connection, typed, beginning):
        yield Step((search.TYPO,), ways, last=True)


def facets(spec: ObjectSpec, asked: Asked, schools: Sequence[int]) -> Way:
    """What narrows beside the name; no schools narrow by nothing."""
    lookup = LOOKUPS[spec.field]
    years = {*asked.birth_years, *(day.year for day in asked.birth_dates)}
    contains = [terms.birth_year(year) for year in sorted(years)]
    contains += [terms.school_year(asked.school_year)] if asked.school_year else []
    contains += [terms.grade(code) for code in asked.grades] if lookup.placed else []
    among = [tuple(terms.ending(mark, value) for mark in lookup.ids.values()) for value in asked.endings]
    if schools:
        among.append(tuple(terms.school(school_id) for school_id in schools))
    return Way(tuple(contains), tuple(among))


def _by_id(spec: ObjectSpec, value: str) -> list[Way]:
    by_number = [
        Way((terms.ending(mark, value),), column=column, values=(value,))
        for column, mark in LOOKUPS[spec.field].ids.items()
    ]
    keys = tuple(dict.fromkeys((value, value.upper(), value.lower())))
    return [*by_number, Way(column="key", values=keys)]


def _among(spellings: words.Spellings) -> list[Way]:
    """One way over what each word typed may stand for; none when that is too much."""
    if max(map(len, spellings)) > words.MOST_SPELLINGS:
        return []
    only = [next(iter(known)) for known in spellings if len(known) == 1]
    several = tuple(tuple(sorted(known)) for known in spellings if len(known) > 1)
    return [Way(tuple(only), several)]


async def _near(connection: AsyncConnection, typed: Sequence[str], beginning: words.Spellings) -> list[Way]:
    """For each word typed, the way in which it alone has a wrong letter; the others exist as they are."""
    known = [word in found for word, found in zip(typed, beginning, strict=True)]
    meant = [near(word) for word in typed]
    existing = await words.existing(connection, set[str]().union(*meant))
    ways = []
    for place, spellings in enumerate(meant):
        others = [word for number, word in enumerate(typed) if number != place]
        if all(found for number, found in enumerate(known) if number != place) and spellings & existing:
            meaning = tuple(sorted(spellings & existing))
            again = _twice([word for word in meaning if word in others])
            meant_alone = _whole([word for word in meaning if word not in others])
            ways.append(Way(tuple(others), (meaning,), words=(_whole(others), (*meant_alone, *again))))
    return ways


def patterns_of(asked: Asked) -> Patterns:
    """What a name must be like for each degree; no word of it stands for two of those typed."""
    spelled = tuple(f"% {key} %" for key in asked.spelled)
    words = tuple(map(_escaped, asked.words))
    if asked.ids:
        return Patterns("", tuple(f"%{word}%" for word in words), (), (), spelled)
    parts: tuple[str, ...] = ()  # what holds a part of this may still be a wrong letter away
    if _parts_count(asked.words):
        parts = tuple(f"%{'% %'.join(order)}%" for order in permutations(words))
    # A word that begins another one typed begins two words of the name.
    prefixes = tuple(f"% {word}%" * sum(other.startswith(word) for other in words) for word in words)
    return Patterns(asked.name, _whole(asked.words), prefixes, parts, spelled)


def _whole(found: Sequence[str]) -> tuple[str, ...]:
    return tuple(f"% {word} %" for word in map(_escaped, found))


def _twice(found: Sequence[str]) -> tuple[str, ...]:
    """Patterns of names that hold one of these words two times."""
    return tuple(f"% {word}{between}{word} %" for word in map(_escaped, found) for between in (" ", " % "))


def _escaped(word: str) -> str:
    return word.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


def _parts_count(typed: Sequence[str]) -> bool:
    """Whether parts of words are looked for: a single letter is a part of nearly every name."""
    return len(typed) <= MOST_PARTS and min(map(len, typed), default=SHORTEST_PART) >= SHORTEST_PART


def rules_of(asked: Asked) -> dict[int, Rule]:
    """What each degree is called."""
    if asked.ids or not asked.words:
        return {search.WORDS: Rule.ID if asked.ids else Rule.CONDITIONS}
    return {
        search.EXACT: Rule.EXACT,
        search.WORDS: Rule.WORDS,
        search.PREFIX: Rule.PREFIX,
        search.PART: Rule.PART,
        search.TYPO: Rule.TYPO,
    }
