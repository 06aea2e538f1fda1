"""What a mail server's answer means, in words: by the enhanced status (RFC 3463), else the reply code (RFC 5321)."""

import re
from collections.abc import Mapping

Sentence = tuple[str, str]  # in Vietnamese, in English

_ENHANCED = re.compile(r"(?<![\d.])[245]\.(\d{1,3})\.(\d{1,3})(?!\.?\d)")
_REPLY = re.compile(r"(?<![\d.])([45]\d\d)(?![\d.]*\d)")
_NO_MAILBOX = "Máy chủ thư trả lời không có hộp thư này", "The mail server says that there is no such mailbox"
_NO_DOMAIN = "Không tìm thấy tên miền của địa chỉ này", "The domain of this address is not to be found"
_FULL = "Hộp thư đã đầy", "The mailbox is full"
_AWAY = "Không kết nối được tới máy chủ thư bên nhận", "The receiving mail server cannot be reached"
_POLICY = (
    "Bên nhận chặn thư này theo quy định bảo mật của họ",
    "The receiving side keeps this mail out by its security policy",
)
_STATUSES: Mapping[str, Sentence] = {
    "1.1": _NO_MAILBOX,
    "1.2": _NO_DOMAIN,
    "1.3": ("Địa chỉ viết không đúng dạng", "The address is not written as an address"),
    "1.6": ("Hộp thư đã chuyển đi nơi khác", "The mailbox has moved elsewhere"),
    "1.10": ("Tên miền của địa chỉ này không nhận thư", "The domain of this address takes no mail"),
    "2.1": ("Hộp thư đã bị khóa, không nhận thư", "The mailbox is closed and takes no mail"),
    "2.2": _FULL,
    "2.3": ("Thư lớn hơn mức hộp thư nhận", "The mail is larger than the mailbox takes"),
    "4.4": _NO_DOMAIN,
    "4.7": ("Đã thử nhiều lần mà không tới được", "It was tried again and again and did not arrive"),
}
_CLASSES: Mapping[str, Sentence] = {
    "1": ("Địa chỉ không đúng hoặc không còn dùng", "The address is wrong or no longer used"),
    "2": ("Hộp thư không nhận được thư", "The mailbox cannot take the mail"),
    "3": ("Máy chủ thư bên nhận đang có sự cố", "The receiving mail server has a problem"),
    "4": _AWAY,
    "5": ("Máy chủ thư bên nhận không hiểu yêu cầu gửi", "The receiving mail server does not understand what is sent"),
    "6": ("Bên nhận không đọc được nội dung thư", "The receiving side cannot read what the mail holds"),
    "7": _POLICY,
}
_REPLIES: Mapping[str, Sentence] = {
    **dict.fromkeys(("550", "551", "553"), _NO_MAILBOX),
    **dict.fromkeys(("452", "552"), _FULL),
    "421": _AWAY,
    "554": ("Máy chủ thư bên nhận từ chối thư này", "The receiving mail server refuses this mail"),
}
_REFUSED = "Bên nhận không nhận", "The other side does not take it"


def meaning_of(said: str) -> Sentence:
    """What an answer means, in Vietnamese and English, without a full stop; of one without a code, that it is a no."""
    if found := _ENHANCED.search(said):
        known = _STATUSES.get(f"{found[1]}.{found[2]}") or _CLASSES.get(found[1])
        if known:
            return known
    reply = _REPLY.search(said)
    return _REPLIES.get(reply[1], _REFUSED) if reply else _REFUSED
