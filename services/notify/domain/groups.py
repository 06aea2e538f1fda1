"""Alerts told together: which unit brings them together for a reader, and what the notice of a group says."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from services.notify.domain.notices import SEVERITIES, Grouping, Matter

SHOWN = 5  # Alerts that the text names; the notice lists all of them.
GroupKey = tuple[str, int]  # rule, unit


@dataclass(frozen=True, slots=True)
class Group:
    """The alerts of a rule below a unit that are told as one matter, as far as they were told.

    `tell_time` is when the message of the newest `occasion` leaves, or left.
    """

    matter_id: int
    rule: str
    unit_id: int
    revision: int
    occasion: int
    tell_time: datetime

    @property
    def key(self) -> GroupKey:
        """What there is one group of that is not over."""
        return self.rule, self.unit_id

    def changed(self) -> "Group":
        """The group in which something else is known of an alert."""
        return replace(self, revision=self.revision + 1)

    def grown(self, now: datetime, *, wait: timedelta, interval: timedelta) -> "Group":
        """The group with more alerts: unless a message waits to leave, one is to, not too soon after the last."""
        changed = self.changed()
        if self.tell_time > now:
            return changed
        return replace(changed, occasion=self.occasion + 1, tell_time=max(now + wait, self.tell_time + interval))


@dataclass(frozen=True, slots=True)
class Contents:
    """What is in a group: how many alerts, how many of them open, how grave the gravest, and the newest."""

    count: int
    open_count: int
    gravity: int
    newest: Sequence[Matter]


def unit_of(grouping: Grouping, unit_id: int, held_at: int, parent: Callable[[int], int | None]) -> int:
    """The unit by which a reader who holds the role at `held_at`, on the alert's unit or above, sees an alert."""
    if grouping is Grouping.READER:
        return held_at
    if grouping is Grouping.UNIT or held_at == unit_id:
        return unit_id
    above = parent(unit_id)
    return unit_id if above is None else above


def matter_of(group: Group, contents: Contents, unit_name: str) -> Matter:
    """What a group is to those who get it: a lone alert as it is, several by the newest and their number."""
    newest = contents.newest[0]
    told = replace(
        newest,
        alert_id=group.matter_id,
        version=group.revision,
        alert_count=contents.count,
        open_count=contents.open_count,
        only_alert_id=newest.alert_id if contents.count == 1 else 0,
    )
    if contents.count == 1:
        return told
    others = contents.count - 1
    left = contents.count - len(contents.newest)
    return replace(
        told,
        unit_id=group.unit_id,
        unit_name=unit_name,
        title_vi=f"{newest.title_vi}, và {others} cảnh báo cùng loại tại {unit_name}",
        title_en=f"{newest.title_en}, and {others} more of the kind at {unit_name}",
        body_vi=_listed(
            [f"{one.unit_name}: {one.title_vi}" for one in contents.newest],
            f"Cùng {left} cảnh báo khác." if left else "",
            f"Còn {contents.open_count} trên {contents.count} cảnh báo chưa xong.",
        ),
        body_en=_listed(
            [f"{one.unit_name}: {one.title_en}" for one in contents.newest],
            f"And {left} others." if left else "",
            f"{contents.open_count} of {contents.count} alerts are not resolved.",
        ),
        severity=SEVERITIES[contents.gravity - 1],
        resolved=contents.open_count == 0,
        taken_by="",
        link=f"/alerts.html#unit={group.unit_id}&rule={group.rule}",
    )


def _listed(lines: Sequence[str], further: str, sums: str) -> str:
    return "\n".join([*(f"• {line}" for line in lines), *filter(None, [further]), sums])
