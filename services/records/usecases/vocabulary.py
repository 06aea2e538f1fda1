"""The words of people's names, kept before the records that hold them, so that a search always knows them.

In a statement of its own that commits by itself: in the rows' transaction, two batches with the same new word would
wait for each other.
"""

from collections.abc import Iterable, Sequence
from operator import attrgetter
from typing import Final

from chassis.database import Database
from services.records.convert.incoming import Batch
from services.records.domain.names import search_name
from services.records.store.words import add_words

_REMEMBERED: Final = 1 << 16  # words as written; a province's names hold a few thousand


class Vocabulary:
    """Keeps new words. Remembers which it has kept, so that a batch without new ones costs no query."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._known: set[str] = set()

    async def learn(self, batches: Sequence[Batch]) -> None:
        """Keep the words of the people in these batches; returns once that is committed."""
        new = set[str]().union(*map(_words, batches)) - self._known
        if not new:
            return
        folded = {part for word in new for part in search_name(word).split()}
        async with self._database.connection() as connection:
            await add_words(connection, folded)
        if len(self._known) > _REMEMBERED:
            self._known.clear()
        self._known |= new


def _words(batch: Batch) -> Iterable[str]:
    """The words of people's names as written."""
    rows, words = batch.rows, set[str]()
    for spec, entries in batch.entries.items():
        if spec.person:
            name_of = attrgetter(f"{spec.field}.{spec.name}")
            for entry in entries:
                words.update(name_of(rows[entry[4]]).split())
    return words
