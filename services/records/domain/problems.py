"""What can be wrong with one row: the stable reason, the field, and what to do, in Vietnamese.

Each function is one problem, so that a text stands in one place and names both field and remedy. None repeats
personal data; keys and codes are what the sender needs to find the row.
"""

import dataclasses
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from services.records.domain.edits import seen
from services.records.domain.locks import Lock
from services.records.domain.sources import Owner


@dataclass(frozen=True, slots=True)
class Problem:
    """Why a row was not stored."""

    reason: str
    field: str
    message: str
    stored_version: int = 0
    metadata: Mapping[str, str] = dataclasses.field(default_factory=dict)  # What it is about, for programs.


def no_record() -> Problem:
    """Name a row without content."""
    return Problem(
        "NO_RECORD",
        "record",
        "Dòng không chứa bản ghi nào. Hãy điền đúng một loại bản ghi, kể cả khi báo xóa.",
    )


def unknown_unit(school: str) -> Problem:
    """Name a school that no unit is known by today."""
    return Problem(
        "UNKNOWN_UNIT",
        "school",
        f"Hôm nay không có đơn vị nào mang mã «{school}». Hãy kiểm tra `school` hoặc đề nghị Sở khai báo đơn vị.",
    )


def not_a_school(school: str, kind: str) -> Problem:
    """Name a unit that sends no records."""
    return Problem(
        "NOT_A_SCHOOL",
        "school",
        f"Đơn vị «{school}» thuộc loại `{kind}`, không phải trường hay nhóm trẻ. Hãy ghi mã của trường vào `school`.",
        metadata={"kind": kind},
    )


def duplicate_key(key: str, first: int) -> Problem:
    """Name a record that stands twice in a batch; `first` is the index of the row that stands."""
    return Problem(
        "DUPLICATE_KEY",
        "key",
        f"Khóa «{key}» đã có ở dòng {first + 1} của cùng lô. Mỗi bản ghi chỉ gửi một dòng trong một lô.",
        metadata={"first_index": str(first)},
    )


def previous_key_in_use(previous_key: str) -> Problem:
    """Name a previous key that is the row's own, or that another row of the batch sends or ends."""
    return Problem(
        "DUPLICATE_KEY",
        "previous_key",
        f"Khóa cũ «{previous_key}» trùng với khóa của chính dòng này hoặc của một dòng khác trong cùng lô. Khi bản ghi "
        "đổi khóa, chỉ gửi một dòng dưới khóa mới và ghi khóa cũ vào `previous_key`.",
    )


def key_cycle(keys: Sequence[str]) -> Problem:
    """Name keys that records of a batch give each other in a circle."""
    first, *_, last = keys
    return Problem(
        "KEY_CYCLE",
        "previous_key",
        f"Khóa «{first}» và «{last}» đổi vòng cho nhau trong cùng lô, nên không dòng nào của vòng được lưu. Hãy gửi "
        "qua một khóa tạm trong các lô nối tiếp nhau, lô sau mang phiên bản cao hơn lô trước: trước hết một bản ghi "
        "sang khóa tạm, rồi các bản ghi còn lại, cuối cùng bản ghi ở khóa tạm sang khóa mới. Nếu bản ghi chỉ trở về "
        "khóa cũ, hãy gửi nó dưới khóa đó và để trống `previous_key`.",
    )


def key_taken(previous_key: str, key: str) -> Problem:
    """Name a new key under which another record is there, beside the one under the previous key."""
    return Problem(
        "KEY_TAKEN",
        "previous_key",
        f"Dưới khóa mới «{key}» đã có một bản ghi khác, bên cạnh bản ghi dưới khóa cũ «{previous_key}». Nếu là cùng "
        "một người, hãy báo xóa bản ghi thừa; nếu không, hãy chọn khóa khác.",
    )


def invalid_date(field: str, value: str) -> Problem:
    """Name a date that the calendar does not have."""
    return Problem(
        "INVALID_DATE",
        field,
        f"`{field}` ghi «{value}» không phải là ngày có thật. Hãy ghi theo dạng năm-tháng-ngày, ví dụ 2015-09-30.",
    )


def other_source(source: str, stored_version: int) -> Problem:
    """Name a record that belongs to another source."""
    return Problem(
        "OTHER_SOURCE",
        "key",
        f"Bản ghi thuộc nguồn «{source}», chỉ nguồn đó thay đổi được. Hãy sửa ở phần mềm của nguồn đó, hoặc đề nghị "
        "hiệu trưởng hay Sở bàn giao nguồn dữ liệu của trường.",
        stored_version,
        metadata={"source": source},
    )


def handed_over(collection: str, owner: Owner, stored_version: int) -> Problem:
    """Name a collection that was handed over to another source."""
    since = instant(owner.since)
    return Problem(
        "OTHER_SOURCE",
        "key",
        f"`{collection}` của trường đã được bàn giao cho nguồn «{owner.source}» từ {since}. Hãy ngừng gửi từ phần mềm "
        "này, hoặc đề nghị hiệu trưởng hay Sở bàn giao lại.",
        stored_version,
        metadata={"source": owner.source, "collection": collection, "since": since},
    )


def version_reused(version: int) -> Problem:
    """Name a version that came before with other content."""
    return Problem(
        "VERSION_REUSED",
        "version",
        f"Phiên bản {version} đã được gửi với nội dung khác. Hãy tăng `version` mỗi lần bản ghi thay đổi.",
        version,
    )


def row_too_large(size: int, most: int) -> Problem:
    """Name a record that no message can carry."""
    return Problem(
        "ROW_TOO_LARGE",
        "record",
        f"Bản ghi dài {size} byte, vượt mức {most} byte. Hãy bỏ bớt nội dung trong `further`.",
        metadata={"size": str(size), "limit": str(most)},
    )


def zero_byte(field: str) -> Problem:
    """Name a text with a sign that no text may hold."""
    return Problem(
        "INVALID_TEXT",
        field,
        f"`{field}` chứa ký tự rỗng (U+0000). Hãy xóa ký tự này trong phần mềm nguồn rồi gửi lại.",
    )


def etag_mismatch(etag: str, *, version: int, source: str) -> Problem:
    """Name a record that is not the one that was corrected, which `etag` tells; it has this version and source now."""
    corrected = seen(etag)
    return Problem(
        "ETAG_MISMATCH",
        "",
        f"Bản ghi đã thay đổi: nay là phiên bản {version} của nguồn «{source}». Hãy mở lại bản ghi rồi sửa.",
        version,
        metadata={
            "version": corrected.version,
            "source": corrected.source,
            "stored_version": str(version),
            "stored_source": source,
        },
    )


def record_erased(field: str) -> Problem:
    """Name a record that was erased, or one that is about such a record."""
    return Problem(
        "RECORD_ERASED",
        field,
        "Dữ liệu này đã được xóa theo yêu cầu của chủ thể dữ liệu và không được lưu lại. "
        "Hãy bỏ dòng này khỏi dữ liệu gửi.",
    )


def batch_refused(first: int) -> Problem:
    """Name a row that stays out because another one of its batch, at index `first`, was refused or held."""
    return Problem(
        "BATCH_REFUSED",
        "",
        f"Dòng này không sai, nhưng lô chỉ được ghi nhận trọn vẹn và dòng {first + 1} bị từ chối hoặc giữ lại. "
        "Hãy sửa dòng đó rồi gửi lại cả lô.",
        metadata={"first_index": str(first)},
    )


def instant(time: datetime) -> str:
    """An instant as programs read it."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def locked(lock: Lock) -> Problem:
    """Name the lock that a row would break."""
    since = instant(lock.lock_time)
    part = f", phần «{lock.period}»" if lock.period else ""
    metadata = {
        "collection": lock.collection,
        "school_year": str(lock.school_year),
        "period": lock.period,
        "locked_by": lock.locked_by,
        "lock_time": since,
        "reason": lock.reason,
    }
    return Problem(
        "LOCKED",
        "",
        f"`{lock.collection}` năm học {lock.school_year}-{lock.school_year + 1}{part} đã bị khóa từ {since} bởi "
        f"«{lock.locked_by}»: «{lock.reason}». Dòng được giữ lại; hãy đề nghị người khóa mở khóa rồi gửi lại trong "
        "lô mới.",
        metadata=metadata | ({"lock_service": lock.lock_service} if lock.lock_service else {}),
    )
