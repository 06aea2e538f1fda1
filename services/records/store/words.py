"""The words that names of people are made of, folded: a few thousand, whatever the number of people.

Words are only ever added, before the records that hold them; one that nobody bears any more harms nobody.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from services.records.store.driver import fetch

MOST_SPELLINGS: Final = 300  # words that one typed word may stand for; more of them find nearly everybody

Spellings = list[set[str]]  # for each word typed, the words that exist and may be meant by it


async def add_words(connection: AsyncConnection, words: Iterable[str]) -> None:
    """Keep words, in order, so that two writers never wait for each other in a circle."""
    await fetch(connection, _ADD, sorted(words))


async def beginning_with(connection: AsyncConnection, typed: Sequence[str]) -> Spellings:
    """The words that begin with each of those typed, itself included where it exists."""
    return _by_place(typed, await fetch(connection, _BEGINNING, list(typed)))


async def containing(connection: AsyncConnection, typed: Sequence[str]) -> Spellings:
    """The words that contain each of those typed."""
    return _by_place(typed, await fetch(connection, _CONTAINING, list(typed)))


async def existing(connection: AsyncConnection, words: Collection[str]) -> set[str]:
    """Those of these words that exist."""
    return {row[0] for row in await fetch(connection, _EXISTING, list(words))}


def _by_place(typed: Sequence[str], rows: Iterable[Sequence[object]]) -> Spellings:
    found: Spellings = [set() for _ in typed]
    for place, word in rows:
        found[int(str(place)) - 1].add(str(word))
    return found


_ADD: Final = "INSERT INTO name_word SELECT unnest($1::text[]) ON CONFLICT DO NOTHING"
# The last code point ends every range of words that begin alike.
_BEGINNING: Final = (
    "SELECT typed.place, held.word FROM unnest($1::text[]) WITH ORDINALITY AS typed(word, place)"
    ' JOIN name_word AS held ON held.word >= typed.word COLLATE "C"'
    " AND held.word < (typed.word || U&'\\+10FFFF') COLLATE \"C\""
)
_CONTAINING: Final = (
    "SELECT typed.place, held.word FROM unnest($1::text[]) WITH ORDINALITY AS typed(word, place)"
    " JOIN name_word AS held ON strpos(held.word, typed.word) > 0"
)
_EXISTING: Final = 'SELECT word FROM name_word WHERE word = ANY($1::text[] COLLATE "C")'
