"""Why something about partners is refused: one function a reason, in both languages."""

from chassis.errors import Fault, FieldViolation, Kind
from services.sync.domain.partners import MOST_KEYS, PartnerConnection
from services.sync.domain.words import Text

_KEY_CAUSES = {
    "private_key": Text(
        "Đây là khóa bí mật: coi như đã lộ, hãy tạo cặp khóa mới và chỉ gửi khóa công khai.",
        "This is a private key: it counts as disclosed. Make a new pair and send only the public key.",
    ),
    "other_curve": Text("Khóa EC phải dùng đường cong P-256 (ES256).", "An EC key must be on P-256 (ES256)."),
    "key_size": Text("Khóa RSA phải dài từ 2048 đến 4096 bit.", "An RSA key must have 2,048 to 4,096 bits."),
    "other_kind": Text("Chỉ nhận khóa EC P-256 hoặc RSA.", "Only EC keys on P-256 and RSA keys are taken."),
    "unreadable": Text(
        "Không đọc được khóa. Hãy gửi khóa công khai dạng PEM (-----BEGIN PUBLIC KEY-----) hoặc JWK.",
        "The key cannot be read. Send the public key as PEM (-----BEGIN PUBLIC KEY-----) or as a JWK.",
    ),
}


def unknown_partner(partner_id: str) -> Fault:
    """There is no such partner, or it is none of the caller's."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_PARTNER",
        vi=f"Không có đối tác “{partner_id}”, hoặc bạn không quản lý đối tác này.",
        en=f"There is no partner “{partner_id}” that you manage.",
        metadata={"partner_id": partner_id},
    )


def partner_exists(partner_id: str) -> Fault:
    """The id is taken."""
    return Fault(
        Kind.EXISTS,
        "PARTNER_EXISTS",
        vi=f"Mã “{partner_id}” đã có đối tác khác, hoặc đang giữ vai trò khác trong hệ thống hay vai trò ngoài đơn vị "
        "này. Hãy chọn mã khác, hoặc để đơn vị cấp trên đăng ký.",
        en=f"The id “{partner_id}” is taken by another partner, or holds other roles here or roles beyond this unit. "
        "Choose another, or let a unit above register it.",
        metadata={"partner_id": partner_id},
    )


def partner_changed(etag: str) -> Fault:
    """Somebody was faster."""
    return Fault(
        Kind.CONFLICT,
        "PARTNER_CHANGED",
        vi="Thông tin đối tác vừa được người khác thay đổi. Hãy xem lại rồi gửi lại với `etag` mới.",
        en="The partner was changed meanwhile. Read it again and send the change with the new `etag`.",
        metadata={"etag": etag},
    )


def key_refused(cause: str) -> Fault:
    """What was sent as a public key cannot be taken."""
    told = _KEY_CAUSES[cause]
    violation = FieldViolation("public_key", "KEY_REFUSED", told.vi, told.en)
    return Fault(Kind.INVALID, "KEY_REFUSED", vi=told.vi, en=told.en, metadata={"cause": cause}, violations=[violation])


def kid_reused(kid: str) -> Fault:
    """The kid names another key."""
    return Fault(
        Kind.EXISTS,
        "KID_REUSED",
        vi=f"Mã khóa “{kid}” đã dùng cho một khóa khác hoặc đã thu hồi. Hãy chọn mã mới.",
        en=f"The kid “{kid}” was used for another key, or that key is revoked. Choose a new one.",
        metadata={"kid": kid},
    )


def unknown_key(kid: str) -> Fault:
    """The partner has no such key."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_KEY",
        vi=f"Đối tác không có khóa “{kid}”.",
        en=f"The partner has no key “{kid}”.",
        metadata={"kid": kid},
    )


def too_many_keys() -> Fault:
    """The partner has as many keys as it may."""
    return Fault(
        Kind.EXHAUSTED,
        "TOO_MANY_KEYS",
        vi=f"Mỗi đối tác có nhiều nhất {MOST_KEYS} khóa còn hiệu lực. Hãy thu hồi khóa không dùng nữa.",
        en=f"A partner has {MOST_KEYS} keys at most that may hold. Revoke one that is not used any more.",
        metadata={"limit": str(MOST_KEYS)},
    )


def already_connected(other: PartnerConnection) -> Fault:
    """The same collections are another's on these days."""
    return Fault(
        Kind.EXISTS,
        "ALREADY_CONNECTED",
        vi=f"Trong thời gian này đơn vị đã nối với “{other.partner_id}” cho loại dữ liệu này (kết nối số "
        f"{other.connection_id}). Hãy kết thúc hoặc chuyển giao kết nối đó trước.",
        en=f"On these days the unit is connected with “{other.partner_id}” for these collections (connection "
        f"{other.connection_id}). End that connection or hand it over first.",
        metadata={"connection_id": str(other.connection_id), "partner_id": other.partner_id},
    )


def unknown_connection(connection_id: int) -> Fault:
    """The unit has no such connection."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_CONNECTION",
        vi=f"Đơn vị này không có kết nối số {connection_id}.",
        en=f"The unit has no connection {connection_id}.",
        metadata={"connection_id": str(connection_id)},
    )


def connection_ended(one: PartnerConnection) -> Fault:
    """It does not reach the day."""
    return Fault(
        Kind.PRECONDITION,
        "CONNECTION_ENDED",
        vi=f"Kết nối số {one.connection_id} không còn hiệu lực vào ngày này nên không chuyển giao được.",
        en=f"Connection {one.connection_id} is not in force on that day and cannot be handed over.",
        metadata={"connection_id": str(one.connection_id)},
    )


def not_connected(partner_id: str) -> Fault:
    """Its connections have ended, or have not begun; the grant that came of them is no longer, or not yet, worth it."""
    return Fault(
        Kind.DENIED,
        "NO_GRANT",
        vi=f"Đối tác “{partner_id}” không có kết nối nào đang hiệu lực với đơn vị này. Hãy nhờ hiệu trưởng hoặc sở kết "
        "nối.",
        en=f"The partner {partner_id} has no connection in force with this unit. Ask the school's head or the "
        "department to connect it.",
        metadata={"partner_id": partner_id},
    )


def no_sandbox(partner_id: str) -> Fault:
    """There is nothing to try things out in."""
    return Fault(
        Kind.NOT_FOUND,
        "NO_SANDBOX",
        vi=f"Đối tác “{partner_id}” chưa có môi trường thử. Hãy mở bằng …/sandbox:open.",
        en=f"The partner “{partner_id}” has no sandbox. Open one by …/sandbox:open.",
        metadata={"partner_id": partner_id},
    )


def source_of_another(source: str, partner_id: str) -> Fault:
    """A partner sends under another code than its own."""
    told = f"Đối tác chỉ gửi với mã nguồn của mình, không với “{source}”: batch.source={partner_id}, hoặc bỏ trống."
    english = f"A partner sends as itself, not as “{source}”. Send with batch.source={partner_id}, or without it."
    violation = FieldViolation("batch.source", "SOURCE_OF_ANOTHER", told, english)
    return Fault(
        Kind.DENIED,
        "SOURCE_OF_ANOTHER",
        vi=told,
        en=english,
        metadata={"source": source},
        violations=[violation],
    )
