"""The morning brief: key figures now and at the end of the day before, and the campaigns that are not over.

What a day ended with is kept while it lasts, by a timer; figures of the past are never computed from today's data. Of
schools nothing is kept: a brief is for those who stand above them.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from chassis.clock import Clock
from chassis.database import Database
from chassis.scopes import Scopes
from services.reporting.domain.catalogue import Indicator
from services.reporting.domain.figures import Figure
from services.reporting.domain.reports import Campaign, State
from services.reporting.store import campaigns, daily_figures
from services.reporting.usecases.places import SCHOOL, kinds_below
from services.reporting.usecases.querying import Question, Questions

EVERY_UNIT = 0
COMPARED_DAYS = 7  # How far back a day may lie to be compared with.
KEPT_DAYS = 400
MOST_CAMPAIGNS = 10


@dataclass(frozen=True, slots=True)
class Key:
    """A key figure, and the one of the day before where there is one."""

    indicator: Indicator
    figure: Figure
    before: tuple[float, date] | None


@dataclass(frozen=True, slots=True)
class Brief:
    """A unit's brief."""

    day: date
    school_year: int
    keys: list[Key]
    campaigns: list[tuple[Campaign, list[tuple[State, bool]]]]
    data_time: datetime | None


@dataclass(frozen=True)
class Briefing:
    """Makes briefs, and keeps what they compare with."""

    database: Database
    questions: Questions
    scopes: Scopes
    clock: Clock
    indicators: tuple[str, ...]

    async def brief(self, unit_id: int) -> Brief:
        """A unit's brief of today."""
        tree, today = self.scopes.tree, self.clock.today()
        year = tree.years(unit_id, today).of(today)
        question = Question(unit=str(unit_id), indicators=self._known(), school_year=year)
        answer = await self.questions.ask(question, tree=tree, today=today)
        below = tree.subtree(unit_id, today)
        async with self.database.connection() as connection:
            since = today - timedelta(days=COMPARED_DAYS)
            before = await daily_figures.previous(connection, unit_id, school_year=year, before=today, since=since)
            found = await campaigns.campaigns_page(
                connection, below=below, school_year=year, limit=MOST_CAMPAIGNS, unfinished=True
            )
            now = self.clock.now()
            progress = [
                (
                    campaign,
                    [
                        (state, late)
                        for _, state, late in await campaigns.states_of(
                            connection, campaign.campaign_id, below=below, now=now
                        )
                    ],
                )
                for campaign in found
            ]
        keys = [
            Key(indicator, figure, before.get(figure.indicator))
            for figure in answer.figures
            if (indicator := self.questions.catalogue.find(figure.indicator)) is not None
        ]
        return Brief(today, year, keys, progress, answer.data_time)

    async def keep(self) -> int:
        """Keep the key figures of today, of every unit above schools, in place of those kept earlier today."""
        tree, today = self.scopes.tree, self.clock.today()
        year = tree.years(EVERY_UNIT, today).of(today)
        rows: list[daily_figures.Kept] = []
        for kind in kinds_below(tree, EVERY_UNIT, today):
            if kind == SCHOOL:
                continue
            question = Question(unit=str(EVERY_UNIT), indicators=self._known(), school_year=year, breakdown=kind)
            answer = await self.questions.ask(question, tree=tree, today=today)
            rows += [
                (one.unit_id, one.indicator, float(one.value))
                for one in answer.figures
                if one.value is not None and one.unit_id != EVERY_UNIT
            ]
        async with self.database.transaction() as connection:
            await daily_figures.keep(connection, rows, school_year=year, day=today)
            await daily_figures.forget(connection, before=today - timedelta(days=KEPT_DAYS))
        return 0

    def _known(self) -> tuple[str, ...]:
        return tuple(code for code in self.indicators if self.questions.catalogue.find(code) is not None)
