"""Silences: alerts below a unit are raised and not told for a time, and told afterwards where they still hold."""

from collections.abc import Callable, Sequence
from functools import partial

from sqlalchemy.ext.asyncio import AsyncConnection

from services.alerts import store
from services.alerts.domain import Alert, Change, Rule, State, Transition
from services.alerts.domain.rules import FAMILIES
from services.alerts.domain.silences import LONGEST, Silence
from services.alerts.usecases.conclude import Verdict, conclude
from services.alerts.usecases.keep_quiet import what_covers
from services.alerts.usecases.moment import Moment
from services.alerts.usecases.refusals import invalid_silence, unknown_silence

MOST_COVERED = 5000  # Alerts one call takes with it; the timer takes the rest.


async def create_silence(
    connection: AsyncConnection, silence: Silence, moment: Moment, *, below: frozenset[int]
) -> tuple[Silence, int]:
    """Keep a silence and cover what is open; returns it, and how many alerts it covers. Raises INVALID_SILENCE."""
    if silence.end_time <= max(silence.start_time, moment.now):
        raise invalid_silence(
            "end_time",
            vi="Thời điểm kết thúc phải sau thời điểm bắt đầu và sau hiện tại.",
            en="It must end after it begins, and after now.",
        )
    if silence.end_time - silence.start_time > LONGEST:
        raise invalid_silence(
            "end_time",
            vi="Một lần tạm ngừng kéo dài nhiều nhất một năm. Hãy tắt quy tắc nếu không cần nữa.",
            en="A silence lasts a year at most. Switch the rule off where it is not needed.",
        )
    if silence.rule and not await store.list_versions(connection, silence.rule, limit=1):
        raise invalid_silence(
            "rule",
            vi=f"Không có quy tắc mã “{silence.rule}”. Hãy kiểm tra mã, hoặc để trống để tạm ngừng mọi quy tắc.",
            en=f"There is no rule “{silence.rule}”. Check its code, or leave it empty for all rules.",
        )
    if silence.family not in ("", *FAMILIES):
        known = ", ".join(FAMILIES)
        raise invalid_silence(
            "family",
            vi=f"Không có nhóm “{silence.family}”. Hãy chọn trong: {known}, hoặc để trống cho mọi nhóm.",
            en=f"There is no family “{silence.family}”. Choose of: {known}, or leave it empty for all.",
        )
    kept = await store.add_silence(connection, silence)
    if kept.start_time > moment.now:
        return kept, 0
    return kept, len(await _cover(connection, kept, below, moment))


async def end_silence(
    connection: AsyncConnection, silence_id: int, *, lies_below: Callable[[int], bool], by: str, moment: Moment
) -> Silence:
    """End a silence before its time; one that is over stays as it is. Raises UNKNOWN_SILENCE."""
    silence = await store.lock_silence(connection, silence_id)
    if silence is None or not lies_below(silence.unit_id):
        raise unknown_silence(silence_id)
    if silence.end_time > moment.now:
        await store.end_silence(connection, silence_id, by=by, now=moment.now)
        silence = await store.lock_silence(connection, silence_id) or silence
    return silence


async def cover_silenced(
    connection: AsyncConnection, moment: Moment, *, subtree: Callable[[int], frozenset[int]]
) -> list[Change]:
    """Cover open alerts under silences that have begun since they were raised."""
    changes: list[Change] = []
    for silence in await store.silences_at(connection, moment.now):
        changes += await _cover(connection, silence, subtree(silence.unit_id), moment)
    return changes


async def release_uncovered(
    connection: AsyncConnection, moment: Moment, *, after: int, limit: int
) -> tuple[int, list[Change]]:
    """Tell alerts that nothing covers any more; returns the id to go on after (0: no more), and what changed."""
    alerts = await store.lock_suppressed(connection, after=after, limit=limit)
    if not alerts:
        return 0, []
    rules = await _rules_of(connection, alerts)
    by_code = {alert.rule: rule for alert in alerts if (rule := rules.get((alert.rule, alert.rule_version)))}
    covered = await what_covers(connection, alerts, by_code, moment)
    verdicts = [
        Verdict(alert.key, Transition.RELEASED, partial(_released, alert, rules, moment))
        for alert in alerts
        if alert.alert_id not in covered
    ]
    changes = await conclude(connection, verdicts, moment.unit_name)
    return alerts[-1].alert_id if len(alerts) == limit else 0, changes


async def _cover(
    connection: AsyncConnection, silence: Silence, below: frozenset[int], moment: Moment
) -> Sequence[Change]:
    alerts = await store.lock_open(
        connection,
        below,
        rules=[silence.rule] if silence.rule else (),
        family=silence.family,
        subject=silence.subject,
        limit=MOST_COVERED,
    )
    verdicts = [
        Verdict(alert.key, Transition.SUPPRESSED, partial(_suppressed, alert, silence.name, moment)) for alert in alerts
    ]
    return await conclude(connection, verdicts, moment.unit_name)


async def _rules_of(connection: AsyncConnection, alerts: Sequence[Alert]) -> dict[tuple[str, int], Rule]:
    return await store.rule_versions(connection, frozenset(alert.rule for alert in alerts))


def _suppressed(alert: Alert, by: str, moment: Moment, position: int) -> Alert:
    return alert.suppressed(by, now=moment.now, position=position)


def _released(alert: Alert, rules: dict[tuple[str, int], Rule], moment: Moment, position: int) -> Alert:
    rule = rules.get((alert.rule, alert.rule_version))
    climbs = None
    if rule is not None:
        taken = alert.state is State.ACKNOWLEDGED
        climbs = alert.due_time or rule.time_to_resolve(moment.now) if taken else rule.time_to_take(moment.now)
    return alert.released(now=moment.now, climbs=climbs, position=position)
