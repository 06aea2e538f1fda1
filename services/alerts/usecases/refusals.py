"""What alerts refuses, with what to do about it."""

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from chassis.errors import Fault, FieldViolation, Kind
from chassis.validation import invalid


class Wrong(NamedTuple):
    """What is wrong with a field, in Vietnamese and English."""

    field: str
    vi: str
    en: str


def unknown_alert(alert_id: int) -> Fault:
    """There is none, or not below the unit named."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_ALERT",
        vi=f"Không có cảnh báo số {alert_id} tại đơn vị này hoặc các đơn vị trực thuộc.",
        en=f"There is no alert {alert_id} on this unit or below it.",
        metadata={"alert_id": str(alert_id)},
    )


def already_resolved(alert_id: int) -> Fault:
    """There is nothing left to do about it."""
    return Fault(
        Kind.PRECONDITION,
        "ALREADY_RESOLVED",
        vi="Cảnh báo này đã được giải quyết, không cần xử lý nữa.",
        en="This alert is already resolved; there is nothing left to do about it.",
        metadata={"alert_id": str(alert_id)},
    )


def stale_etag(etag: str) -> Fault:
    """It moved on since it was read."""
    return Fault(
        Kind.CONFLICT,
        "STALE_ETAG",
        vi="Cảnh báo đã thay đổi từ lúc bạn xem. Hãy tải lại rồi thực hiện.",
        en="The alert changed since you read it. Read it again, then go on.",
        metadata={"etag": etag},
    )


def due_in_past(due: datetime) -> Fault:
    """The time by which somebody means to be done is over."""
    vi = "Hạn xử lý phải ở sau thời điểm hiện tại."
    en = "The time to be done by must lie in the future."
    violation = FieldViolation("due_time", "DUE_IN_PAST", vi, en)
    return Fault(
        Kind.INVALID, "DUE_IN_PAST", vi=vi, en=en, metadata={"due_time": due.isoformat()}, violations=[violation]
    )


def not_resolved(alert_id: int) -> Fault:
    """What is not closed cannot be opened again."""
    return Fault(
        Kind.PRECONDITION,
        "NOT_RESOLVED",
        vi="Cảnh báo này chưa đóng nên không thể mở lại.",
        en="This alert is not resolved, so it cannot be opened again.",
        metadata={"alert_id": str(alert_id)},
    )


def already_open(alert_id: int) -> Fault:
    """Another alert tells the same."""
    return Fault(
        Kind.PRECONDITION,
        "ALREADY_OPEN",
        vi=f"Cùng quy tắc và đối tượng này đã có cảnh báo số {alert_id} đang mở. Hãy xử lý cảnh báo đó.",
        en=f"Alert {alert_id} on the same rule and subject is open. Handle that one.",
        metadata={"alert_id": str(alert_id)},
    )


def unknown_silence(silence_id: int) -> Fault:
    """There is none, or not on the unit named or below it."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_SILENCE",
        vi=f"Không có lần tạm ngừng số {silence_id} tại đơn vị này hoặc các đơn vị trực thuộc.",
        en=f"There is no silence {silence_id} on this unit or below it.",
        metadata={"silence_id": str(silence_id)},
    )


def invalid_silence(field: str, *, vi: str, en: str) -> Fault:
    """It is over before it begins, lasts too long, or names what is not there."""
    violation = FieldViolation(field, "INVALID_SILENCE", vi, en)
    return Fault(Kind.INVALID, "INVALID_SILENCE", vi=vi, en=en, metadata={"field": field}, violations=[violation])


def unknown_rule(code: str) -> Fault:
    """There is none, or not of the unit named."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RULE",
        vi=f"Đơn vị này không có quy tắc “{code}”. Hãy kiểm tra mã và đơn vị của quy tắc.",
        en=f"The unit has no rule “{code}”. Check its code, and the unit it belongs to.",
        metadata={"code": code},
    )


def rule_exists(code: str, wrong: Sequence[Wrong]) -> Fault:
    """Its code is taken, whichever unit has it; with what else is wrong with it."""
    vi = f"Đã có quy tắc mã “{code}”. Hãy chọn mã khác, hoặc viết phiên bản mới của quy tắc ấy."
    en = f"There is a rule “{code}” already. Choose another code, or write another version of it."
    violation = FieldViolation("code", "RULE_EXISTS", vi, en)
    violations = [violation, *map(_violation, wrong)]
    return Fault(Kind.EXISTS, "RULE_EXISTS", vi=vi, en=en, metadata={"code": code}, violations=violations)


def built_in_rule(code: str) -> Fault:
    """It came with the service and would be overwritten by the next version."""
    return Fault(
        Kind.PRECONDITION,
        "BUILT_IN_RULE",
        vi=f"“{code}” là quy tắc có sẵn. Hãy chép thành quy tắc mới để sửa, rồi tắt quy tắc có sẵn nếu cần.",
        en=f"“{code}” came with the service. Copy it to alter it, and switch it off where the copy replaces it.",
        metadata={"code": code},
    )


def stale_rule(version: int) -> Fault:
    """Somebody else wrote a version meanwhile."""
    return Fault(
        Kind.CONFLICT,
        "STALE_RULE",
        vi=f"Quy tắc đã có phiên bản {version} từ lúc bạn xem. Hãy tải lại rồi sửa.",
        en=f"Version {version} of the rule was written since you read it. Read it again, then alter it.",
        metadata={"version": str(version)},
    )


def invalid_rule(wrong: Sequence[Wrong]) -> Fault:
    """Fields of the rule that cannot be used, each with what is wrong."""
    [first, *others] = wrong
    vi, en = first.vi.removesuffix("."), first.en.removesuffix(".")
    if others:
        vi, en = f"có {len(wrong)} chỗ phải sửa", f"{len(wrong)} things have to be corrected"
    return Fault(
        Kind.INVALID,
        "INVALID_RULE",
        vi=f"Không dùng được quy tắc: {vi}.",
        en=f"The rule cannot be used: {en}.",
        metadata={"field": first.field},
        violations=[*map(_violation, wrong)],
    )


def _violation(wrong: Wrong) -> FieldViolation:
    return FieldViolation(f"rule.{wrong.field}", "INVALID_RULE", wrong.vi, wrong.en)


def too_much_past(most: int) -> Fault:
    """A backtest over so many states of facts that it would hold up others."""
    vi = f"Phải xem lại hơn {most} trạng thái. Hãy chọn ngày gần hơn, hoặc một đơn vị nhỏ hơn."
    en = f"More than {most} states would have to be looked at. Choose a later day, or a smaller unit."
    return invalid([FieldViolation("since", "TOO_MUCH_PAST", vi, en)])


def no_past() -> Fault:
    """A backtest of what has not been yet."""
    vi = "Ngày bắt đầu thử ở sau hôm nay. Hãy chọn một ngày đã qua."
    en = "The first day to try the rule on is after today. Choose a day that has been."
    return invalid([FieldViolation("since", "NO_PAST", vi, en)])
