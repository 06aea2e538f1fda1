"""What notify says when it refuses: the reason, a sentence for people in both languages, and the remedy."""

from collections.abc import Sequence

from chassis.errors import Fault, FieldViolation, Kind
from services.notify.domain.announcements import Announcement
from services.notify.domain.forms import Wrong

STATES_VI = ("", "bản nháp", "đã duyệt", "đã hẹn giờ gửi", "đã gửi", "đã thu hồi")


def unknown_unit_id(unit_id: int) -> Fault:
    """The tree of units lags behind an event."""
    return Fault(
        Kind.PRECONDITION,
        "UNKNOWN_UNIT",
        vi=f"Cây đơn vị chưa có đơn vị số {unit_id}.",
        en=f"The tree of units does not know unit {unit_id} yet.",
        metadata={"unit": str(unit_id)},
    )


def unknown_announcement(announcement_id: int) -> Fault:
    """Nothing that the caller may see has this id."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_ANNOUNCEMENT",
        vi=f"Không có văn bản số {announcement_id} tại đơn vị này hoặc gửi tới bạn.",
        en=f"There is no announcement {announcement_id} of this unit, or sent to you.",
        metadata={"announcement_id": str(announcement_id)},
    )


def stale(announcement: Announcement) -> Fault:
    """Somebody else changed it meanwhile."""
    return Fault(
        Kind.CONFLICT,
        "STALE_ETAG",
        vi="Văn bản đã thay đổi từ lúc bạn xem. Hãy tải lại rồi làm tiếp.",
        en="The announcement changed since you read it. Read it again, then go on.",
        metadata={"etag": announcement.etag},
    )


def wrong_state(announcement: Announcement, remedy_vi: str, remedy_en: str) -> Fault:
    """Its state does not allow the step."""
    state = announcement.state
    return Fault(
        Kind.PRECONDITION,
        "WRONG_STATE",
        vi=f"Văn bản đang ở trạng thái “{STATES_VI[state]}”. {remedy_vi}",
        en=f"The announcement is {state.name}. {remedy_en}",
        metadata={"state": state.name},
    )


def no_form(announcement: Announcement) -> Fault:
    """It asks nothing that could be answered."""
    return Fault(
        Kind.PRECONDITION,
        "NO_FORM",
        vi="Văn bản này không có biểu mẫu nên không phải trả lời; nếu được yêu cầu, chỉ cần xác nhận đã nhận.",
        en="The announcement asks nothing that could be answered; confirm it where that is asked.",
        metadata={"announcement_id": str(announcement.announcement_id)},
    )


def audience_refused(reason: str, path: str, vi: str, en: str, **metadata: str) -> Fault:
    """An audience that cannot be meant."""
    kind = Kind.DENIED if reason == "AUDIENCE_OUTSIDE" else Kind.INVALID
    return Fault(kind, reason, vi=vi, en=en, metadata=metadata, violations=[FieldViolation(path, reason, vi, en)])


def invalid(reason: str, wrong: Sequence[Wrong]) -> Fault:
    """Fields that do not fit, each named."""
    return Fault(
        Kind.INVALID,
        reason,
        vi=" ".join(dict.fromkeys(one.vi for one in wrong)),
        en=" ".join(dict.fromkeys(one.en for one in wrong)),
        violations=[FieldViolation(one.path, reason, one.vi, one.en) for one in wrong],
    )
