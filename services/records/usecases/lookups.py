"""Looking at records: every look is written down, and that committed, before the answer leaves.

Look-ups and log entries of many callers share one query and one commit, so that an entry costs next to nothing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from chassis.database import Database
from chassis.disclosures import written_down
from chassis.grouping import Grouped
from services.records.domain.objects import DELETED, ObjectSpec
from services.records.domain.reading import Reading
from services.records.store.access_log import append_readings
from services.records.store.lookup import records_by_key

Stored = Sequence[Any]  # as `store.lookup` gives it


@dataclass(frozen=True, slots=True)
class Look:
    """A question for one record; without a type it only writes the reading down."""

    reading: Reading
    spec: ObjectSpec | None = None
    withheld: bool = False  # whether the record is wanted though it is restricted


class Lookups:
    """Looks up records and writes readings down. Opens its own connections; each statement commits by itself."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._grouped: Grouped[Look, Stored | None] = Grouped(self._look_up)

    async def look_up(self, spec: ObjectSpec, reading: Reading, *, withheld: bool = False) -> Stored | None:
        """The record that the reading names, None when there is none; written down either way.

        One that is restricted is none unless `withheld`.
        """
        found = await self._grouped.ask(Look(reading, spec, withheld))
        written_down()
        return found

    async def note(self, reading: Reading) -> None:
        """Write a reading down and return once that is committed."""
        await self._grouped.ask(Look(reading))
        written_down()

    async def _look_up(self, looks: Sequence[Look]) -> list[Stored | None]:
        found: dict[tuple[ObjectSpec, bool, int, str], Stored] = {}
        async with self._database.connection() as connection:
            for spec, withheld in {(look.spec, look.withheld) for look in looks if look.spec is not None}:
                alike = [look for look in looks if look.spec is spec and look.withheld is withheld]
                wanted = {(look.reading.unit_id, look.reading.key) for look in alike}
                records = await records_by_key(connection, spec, sorted(wanted), withheld=withheld)
                found.update({(spec, withheld, *identity): record for identity, record in records.items()})
            answers = [_answer(look, found) for look in looks]
            await append_readings(
                connection,
                [
                    look.reading if look.spec is None else replace(look.reading, record_count=int(answer is not None))
                    for look, answer in zip(looks, answers, strict=True)
                ],
            )
        return answers


def _answer(look: Look, found: dict[tuple[ObjectSpec, bool, int, str], Stored]) -> Stored | None:
    if look.spec is None:
        return None
    record = found.get((look.spec, look.withheld, look.reading.unit_id, look.reading.key))
    # A tombstone is for the feed, not for people.
    return None if record is None or record[DELETED] else record
