"""Matters and notices as plain values: what there is to tell, who is told, and how far a notice got in its inbox."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import IntEnum

SEVERITIES = ("info", "warning", "critical")


class State(IntEnum):
    """Where a notice is in its inbox; numbers as in the contract. It only rises."""

    UNREAD = 1
    READ = 2
    ACKNOWLEDGED = 3


class Grouping(IntEnum):
    """Which alerts of a rule are told as one notice; numbers as in the contract of alerts."""

    NONE = 1
    UNIT = 2
    PARENT = 3
    READER = 4


@dataclass(frozen=True, slots=True)
class Matter:
    """What there is to tell: an alert as of one of its changes. `version` rises with each change of the alert.

    What is no alert, an announcement or another service's request, has an id below zero.
    """

    alert_id: int
    version: int
    unit_id: int
    unit_name: str
    title_vi: str
    title_en: str
    body_vi: str
    body_en: str
    severity: str
    resolved: bool
    taken_by: str
    topic: str = "alert"
    link: str = ""
    due_time: datetime | None = None
    announcement_id: int = 0
    recalled: bool = False
    alert_count: int = 0
    open_count: int = 0
    only_alert_id: int = 0

    @property
    def gravity(self) -> int:
        """How grave it is, as a number: 1 information, 2 warning, 3 critical."""
        return SEVERITIES.index(self.severity) + 1 if self.severity in SEVERITIES else 1


@dataclass(frozen=True, slots=True)
class News:
    """A change of a matter. Its `audience_roles` are told when it begins, and those not told yet when it `widens`, as
    another version of a rule may name others; all other changes reach those who were.

    With `audience_units`, as when an alert climbs, those who hold the roles at these very units are meant. It is told
    in a group unless it `stands_alone`; a group it is in already counts as grown when it comes `again`.
    """

    matter: Matter
    begins: bool
    widens: bool
    audience_roles: tuple[str, ...]
    audience_units: tuple[int, ...] = ()
    rule: str = ""
    grouping: Grouping = Grouping.NONE
    group_wait: timedelta = timedelta()
    group_interval: timedelta = timedelta()
    climbs: bool = False
    again: bool = False

    @property
    def stands_alone(self) -> bool:
        """Whether it is a notice of its own: what is urgent, what climbs, and what its rule says."""
        return self.climbs or self.grouping is Grouping.NONE or self.matter.severity == "critical"


@dataclass(frozen=True, slots=True)
class Request:
    """What another service asks to be told; `(source, key)` is its identity, `revision` rises with another text.

    Who holds the roles at these very units is meant, or also above them. `matter` carries no id of its own yet.
    """

    source: str
    key: str
    revision: int
    unit_ids: tuple[int, ...]
    audience_roles: tuple[str, ...]
    subjects: tuple[str, ...]
    matter: Matter
    and_above: bool = False

    @property
    def identity(self) -> tuple[str, str]:
        """What is told once in each revision, in the order in which requests are locked."""
        return self.source, self.key


@dataclass(frozen=True, slots=True)
class Recipient:
    """Somebody to tell, and why."""

    subject: str
    because: str
    unit_id: int = 0  # Where the role is held.


@dataclass(frozen=True, slots=True)
class Notice:
    """A matter in somebody's inbox. Its id is the position of its delivery."""

    subject: str
    notice_id: int
    because: str
    state: State
    create_time: datetime
    read_time: datetime | None
    acknowledge_time: datetime | None
    position: int
    matter: Matter


@dataclass(frozen=True, slots=True)
class Delivery:
    """One matter for one recipient. Each `occasion` it is told on, such as a reminder, brings one message a channel."""

    alert_id: int
    recipient: Recipient
    occasion: int = 0
    due: datetime | None = None  # When its messages may leave; None: at once.


def newest(news: Iterable[News]) -> list[Matter]:
    """One matter per alert, as of its last change, in the order in which matters are locked."""
    kept: dict[int, Matter] = {}
    for one in news:
        known = kept.get(one.matter.alert_id)
        if known is None or known.version < one.matter.version:
            kept[one.matter.alert_id] = one.matter
    return [kept[alert_id] for alert_id in sorted(kept)]


# Roles as staff call them; a role without a name here is shown by its code.
ROLE_NAMES = {
    "administrator": "Quản trị hệ thống",
    "director": "Lãnh đạo ngành",
    "officer": "Chuyên viên phụ trách",
    "auditor": "Người kiểm tra",
    "head_teacher": "Hiệu trưởng",
    "clerk": "Nhân viên văn thư",
    "integrator": "Đơn vị kết nối dữ liệu",
    "provincial_ioc": "Trung tâm điều hành của tỉnh",
}


def because(role: str, unit_name: str) -> str:
    """Why somebody is told, in Vietnamese: the role held, and where."""
    return f"{ROLE_NAMES.get(role, role)} tại {unit_name}"
