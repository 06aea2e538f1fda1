"""Tells of targets, each beside what its unit has reached, whenever either changes.

Only the running school year of a unit that is there is judged; of any other target the value is left out, as it is
where nothing is known or shown. Sensitive indicators are judged for no unit.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.clock import Clock
from chassis.database import Database
from chassis.outbox import Outgoing, append
from chassis.scopes import Scopes, ScopeTree
from services.reporting.convert.targets import target_standing, targets_changed
from services.reporting.domain.figures import Figure, TargetRow
from services.reporting.store import told_targets
from services.reporting.usecases.querying import Question, Questions

TARGETS_CHANGED = "targets-changed"
EVERY_UNIT = 0


@dataclass
class TellingTargets:
    """Looks at all targets of the running school year, and at those of the year before until they are told as over."""

    database: Database
    questions: Questions
    scopes: Scopes
    clock: Clock
    _known: tuple[object, ...] = field(default=())

    async def look(self) -> int:
        """Tell what changed since the look before, by whichever replica; none where nothing moved that could do so."""
        tree, today = self.scopes.tree, self.clock.today()
        head = await self.questions.mirror.head()
        async with self.database.transaction() as connection:
            found = (head, tree, today, await told_targets.state(connection))
            if found == self._known or not await told_targets.hold(connection):
                return 0
            since = tree.years(EVERY_UNIT, today).of(today) - 1
            await self._tell(connection, await told_targets.targets_since(connection, since), tree, today)
        self._known = found
        return 0

    async def _tell(
        self, connection: AsyncConnection, targets: Iterable[TargetRow], tree: ScopeTree, today: date
    ) -> None:
        catalogue = self.questions.catalogue
        known = [(one, indicator) for one in targets if (indicator := catalogue.find(one.indicator)) is not None]
        judged = [one for one, indicator in known if not indicator.sensitive]
        figures = await self._figures(judged, tree, today)
        told = []
        for target, indicator in known:
            key = target.unit_id, target.school_year, target.indicator
            told.append((key, target_standing(target, indicator, figures.get(key))))
        changed = await told_targets.note_told(connection, told)
        events = targets_changed(changed)
        await append(
            connection,
            [Outgoing(TARGETS_CHANGED, one.SerializeToString(), count=len(one.standings)) for one in events],
        )

    async def _figures(
        self, targets: Iterable[TargetRow], tree: ScopeTree, today: date
    ) -> dict[told_targets.Key, Figure]:
        """What units have reached in their running school year; a question for each year, kind of unit and indicator,
        which keeps any of them small.
        """
        below = tree.subtree(EVERY_UNIT, today)
        asked = {
            (target.school_year, unit.kind, target.indicator)
            for target in targets
            if target.unit_id in below
            and (unit := tree.unit(target.unit_id)) is not None
            and target.school_year == tree.years(target.unit_id, today).of(today)
        }
        found: dict[told_targets.Key, Figure] = {}
        for year, kind, indicator in sorted(asked):
            question = Question(str(EVERY_UNIT), (indicator,), school_year=year, breakdown=kind)
            answer = await self.questions.ask(question, tree=tree, today=today)
            # What lies below no unit of the kind stands under the unit asked about.
            found |= {(one.unit_id, year, indicator): one for one in answer.figures if one.unit_id != EVERY_UNIT}
        return found
