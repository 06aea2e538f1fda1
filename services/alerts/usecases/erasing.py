"""What records erased or restricted at a person's request is erased here: alerts on pupils, facts, and what they were.

No law keeps alerts, so what is only restricted in records goes from here too, and nothing is made of such a pupil until
the restriction is lifted. An alert stays as one of its rule that was, for statistics: without subject, texts and notes.
It is confirmed once registers and results say nothing of an erased pupil any more, which the change feed brings by a
consumer of its own.
"""

from collections.abc import Collection
from dataclasses import dataclass, field
from functools import partial
from typing import Final

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis import dead_letters, outbox
from chassis.bus import subject_of
from chassis.errors import Fault, Kind
from services.alerts import store
from services.alerts.convert.erasing import erasures_confirmed, without_erased
from services.alerts.domain import Alert, Change, Transition
from services.alerts.domain.erasing import Erasure
from services.alerts.store import erasing, projection
from services.alerts.usecases.conclude import Verdict, conclude
from services.alerts.usecases.moment import Moment

ERASURES_CONFIRMED: Final = "erasures-confirmed"
RECORDS_CHANGED: Final = subject_of("records", "records-changed")


@dataclass(frozen=True, slots=True)
class Forgotten:
    """How many things were erased, and what becomes of the alerts, which are locked."""

    count: int = 0
    verdicts: list[Verdict] = field(default_factory=list)


async def erase(connection: AsyncConnection, erasure: Erasure, moment: Moment) -> list[Change]:
    """Erase what is kept of a request's pupils, and confirm; raises FACTS_BEHIND until the feed has been followed."""
    school_id, erased = erasure.school_id, erasure.erased_pupils
    await projection.hold_schools(connection, [school_id])
    if erased:
        if await erasing.is_behind(connection, school_id, erased):
            raise _behind()
        await erasing.note_erased(connection, school_id, erased)
    forgotten = await forget_pupils(connection, school_id, erasure.pupils, moment)
    letters = await dead_letters.rewrite(
        connection,
        RECORDS_CHANGED,
        [key.encode() for key in erasure.erased_keys],
        lambda payload: without_erased(payload, erasure),
    )
    changes = await conclude(connection, forgotten.verdicts, moment.unit_name)
    payload = erasures_confirmed(erasure, forgotten.count + len(changes) + letters)
    await outbox.append(connection, [outbox.Outgoing(ERASURES_CONFIRMED, payload)])
    return changes


async def forget_pupils(
    connection: AsyncConnection, school_id: int, keys: Collection[str], moment: Moment
) -> Forgotten:
    """Erase facts on pupils of a school that is held, and lock their alerts: whoever locks more facts does it first,
    and carries out the verdicts behind that.
    """
    if not keys:
        return Forgotten()
    count = await erasing.forget_facts(connection, school_id, keys, above=moment.above(school_id))
    alerts = await store.lock_about_pupils(connection, school_id, sorted(keys))
    verdicts = [Verdict(one.key, Transition.ERASED, partial(_erased, one, moment), told=False) for one in alerts]
    return Forgotten(count, verdicts)


def _erased(alert: Alert, moment: Moment, position: int) -> Alert:
    return alert.erased(now=moment.now, position=position)


def _behind() -> Fault:
    return Fault(
        Kind.UNAVAILABLE,
        "FACTS_BEHIND",
        vi="Số liệu chưa theo kịp luồng thay đổi; việc xóa sẽ được xác nhận sau.",
        en="The facts are behind the change feed; the erasure is confirmed later.",
    )
