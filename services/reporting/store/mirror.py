"""The stocks in memory, one copy a replica, brought up to the head before each question: exact, and cheap to sum.

A question costs one look at the head; what moved since is read school by school. Memory is only a copy: losing it loses
nothing, and two replicas answer the same.
"""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.database import Database
from services.reporting.domain.catalogue import PLACED_PUPILS, SEATED_PUPILS
from services.reporting.domain.cube import Column, Combinations
from services.reporting.domain.rules import rules_of

SLICE = 500  # Columns read before the loop runs other work; a province's first look has tens of thousands.


@dataclass(frozen=True, slots=True)
class Head:
    """How far the figures are: the position of the newest change, and when that was committed where it came from."""

    position: int
    data_time: datetime | None


@dataclass(frozen=True, slots=True)
class Stocks:
    """What a question is answered from: one school year as it stood at one head. Never altered."""

    head: Head
    columns: Mapping[str, Mapping[int, Column]]  # By measure, then school.
    combinations: Mapping[str, Combinations]
    reporting: frozenset[int]  # Schools that have sent anything for the year.
    connected: frozenset[int]  # Schools that have ever sent anything.
    school_year: int | None = None  # Whose present they are; None: of some other moment.


@dataclass
class Mirror:
    """Keeps the years asked for. One refresh runs at a time, and serves all who waited for it."""

    database: Database
    most_years: int = 12
    _years: dict[int, Stocks] = field(default_factory=dict)
    _combinations: dict[str, Combinations] = field(default_factory=dict)
    _lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    def combinations(self, measure: str) -> Combinations:
        """How the combinations of a measure are numbered, of whatever year."""
        return self._combinations.setdefault(measure, Combinations())

    async def head(self) -> Head:
        """Where the figures stand now."""
        async with self.database.connection() as connection:
            return await _head(connection)

    async def stocks(self, school_year: int) -> Stocks:
        """The year's stocks, no older than this call."""
        async with self.database.connection() as connection:
            head = await _head(connection)
            known = self._years.get(school_year)
            if known is None or known.head.position != head.position:
                known = await self._refreshed(connection, school_year)
            # The year asked for last is dropped last.
            self._years[school_year] = self._years.pop(school_year, known)
        return known if known.head == head else replace(known, head=max(head, known.head, key=_position))

    async def _refreshed(self, connection: AsyncConnection, school_year: int) -> Stocks:
        async with self._lock:
            # Others may have refreshed, and the figures may have moved on, while this one waited.
            head = await _head(connection)
            known = self._years.get(school_year)
            if known is None or known.head.position != head.position:
                # A database restored to an earlier state has a lower head: nothing known is worth keeping then.
                kept = known if known and known.head.position < head.position else None
                known = await self._read(connection, school_year, kept, head=head)
            self._years[school_year] = known
            while len(self._years) > self.most_years:
                self._years.pop(next(iter(self._years)))
            return known

    async def _read(self, connection: AsyncConnection, school_year: int, known: Stocks | None, *, head: Head) -> Stocks:
        after = known.head.position if known else -1
        columns = {measure: dict(schools) for measure, schools in known.columns.items()} if known else {}
        moved: set[int] = set()
        asked = {"school_year": school_year, "after": after, **_thresholds(school_year)}
        for place, (school, measure, combinations, values) in enumerate(await connection.execute(_MOVED, asked), 1):
            if school not in moved:
                moved.add(school)
                for schools in columns.values():
                    schools.pop(school, None)
            if measure is not None:
                column = self.combinations(measure).column(combinations, values)
                columns.setdefault(measure, {})[school] = column
            if place % SLICE == 0:
                await asyncio.sleep(0)
        connected = await connection.scalars(_CONNECTED, {"after": after})
        return Stocks(
            head=head,
            columns=columns,
            combinations=self._combinations,
            reporting=(known.reporting if known else frozenset()) | moved,
            connected=(known.connected if known else frozenset()) | frozenset(connected),
            school_year=school_year,
        )


def _thresholds(school_year: int) -> dict[str, list[str] | list[int]]:
    """The year's thresholds of absence; where no rule is in force none is passed."""
    rule = rules_of(school_year).absence
    if rule is None:
        return {"measures": [], "days": [], "grades": [], "shares": [], "percents": []}
    return {
        "measures": ["pupils_absent_amber", "pupils_absent_red", "pupils_absent_over"],
        "days": [rule.amber, rule.red, rule.most + 1],
        "grades": list(rule.grades),
        "shares": ["pupils_absent_chronic", "pupils_absent_severe"],
        "percents": [rule.chronic_percent, rule.severe_percent],
    }


def _position(head: Head) -> int:
    return head.position


async def _head(connection: AsyncConnection) -> Head:
    row = (await connection.execute(_HEAD)).one()
    return Head(row.position, row.data_time)


_HEAD = sa.text("SELECT position, data_time FROM head")

# One statement, so one moment: what it sees beyond the head just read is read again at the next refresh.
# Whatever changes a class's pupils, level or grade, or any register, also raises the version of its school.
_MOVED = sa.text("""
WITH moved AS (
    SELECT school_id, school_year FROM school_figure WHERE school_year = :school_year AND version > :after
), counted AS (
    SELECT school_id, measure, concat_ws('|', level, grade, sex, '', '', '', ethnic_group) AS combination, value
    FROM moved JOIN stock USING (school_id, school_year) WHERE value <> 0
    UNION ALL
    SELECT school_id, measure, concat_ws('|', level, grade, sex, item, ''), value
    FROM moved JOIN tally USING (school_id, school_year) WHERE value <> 0
    UNION ALL
    SELECT school_id, :placed, concat_ws('|', level, grade, ''), sum(size)
    FROM moved JOIN class_figure USING (school_id, school_year) WHERE active AND size <> 0
    GROUP BY school_id, level, grade
    UNION ALL
    SELECT school_id, :seated, concat_ws('|', level, grade, ''), sum(size + coalesce(beside, 0))
    FROM moved JOIN class_figure USING (school_id, school_year) WHERE active AND size + coalesce(beside, 0) <> 0
    GROUP BY school_id, level, grade
    UNION ALL
    SELECT school_id, 'pupils_scheduled', concat_ws('|', level, grade, ''), sum(size)
    FROM moved JOIN class_session USING (school_id, school_year) JOIN class_figure
        USING (school_id, school_year, class_key)
    WHERE session_count > 0 AND active AND size <> 0 GROUP BY school_id, level, grade
    UNION ALL
    SELECT school_id, threshold.measure, concat_ws('|', pupil.level, pupil.grade, pupil.sex), count(*)
    FROM moved JOIN pupil_absence AS absent USING (school_id, school_year)
    JOIN fact AS pupil USING (school_id, school_year)
    JOIN unnest(CAST(:measures AS text[]), CAST(:days AS integer[])) AS threshold(measure, days)
        ON absent.counted_day_count >= threshold.days
    WHERE pupil.measure = 'pupils' AND pupil.key = absent.pupil_key AND pupil.counted
        AND pupil.grade = ANY(CAST(:grades AS text[]))
    GROUP BY school_id, threshold.measure, pupil.level, pupil.grade, pupil.sex
    UNION ALL
    SELECT school_id, threshold.measure, concat_ws('|', placed.level, placed.grade, ''), count(*)
    FROM moved JOIN pupil_absence AS absent USING (school_id, school_year)
    JOIN fact AS pupil USING (school_id, school_year)
    JOIN class_session AS held USING (school_id, school_year, class_key)
    JOIN class_figure AS placed USING (school_id, school_year, class_key)
    JOIN unnest(CAST(:shares AS text[]), CAST(:percents AS integer[])) AS threshold(measure, percent)
        ON absent.session_count * 100 >= held.session_count * threshold.percent
    WHERE pupil.measure = 'pupils' AND pupil.key = absent.pupil_key AND pupil.counted AND placed.active
        AND held.session_count > 0
    GROUP BY school_id, threshold.measure, placed.level, placed.grade
)
SELECT school_id, measure, array_agg(combination) AS combinations, array_agg(value::bigint) AS values_
FROM moved LEFT JOIN counted USING (school_id) GROUP BY school_id, measure
""").bindparams(placed=PLACED_PUPILS, seated=SEATED_PUPILS)
_CONNECTED = sa.text("SELECT school_id FROM connection WHERE version > :after AND first_accept_time IS NOT NULL")
