"""Packages as they are sent: XML, plain or gzip. Refuses what is not well formed, too large, or names no request."""

import gzip
import io
from dataclasses import dataclass
from xml.etree import ElementTree as ET

MOST_BYTES = 32_000_000
EVENTS = ("NEW", "UPDATE", "CANCEL")
Content = dict[str, object]  # Field: text, or a list of objects.


class PackageError(ValueError):
    """A package that is refused as a whole."""


@dataclass(frozen=True)
class Sent:
    """One record of a package."""

    id: str
    event: str
    version: int
    content: Content


@dataclass(frozen=True)
class Package:
    """One request."""

    request_id: str
    school: str
    level: str
    year: str
    record_type: int
    records: tuple[Sent, ...]


def unpacked(body: bytes) -> bytes:
    """The XML of a gzip body; refuses one that grows beyond the bound."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as file:
            text = file.read(MOST_BYTES + 1)
    except (OSError, EOFError) as error:
        raise PackageError("Gói nén không đọc được.") from error
    if len(text) > MOST_BYTES:
        raise PackageError("Gói tin quá lớn.")
    return text


def read(body: bytes) -> Package:
    """Read a package."""
    if b"<!DOCTYPE" in body[:1000] or b"<!ENTITY" in body:
        raise PackageError("Gói tin không được khai báo DOCTYPE.")
    try:
        root = ET.fromstring(body)  # noqa: S314  declarations, with which documents explode, were refused above
    except ET.ParseError as error:
        raise PackageError(f"XML không hợp lệ: {error}.") from error
    head = {name: root.get(name, "") for name in ("MaYeuCau", "MaTruong", "CapHoc", "NamHoc", "LoaiBanGhi")}
    if root.tag != "YeuCau" or not head["MaYeuCau"] or not head["MaTruong"] or not head["LoaiBanGhi"].isdecimal():
        raise PackageError("Thiếu MaYeuCau, MaTruong hoặc LoaiBanGhi.")
    records = tuple(_record(one) for one in root)
    return Package(head["MaYeuCau"], head["MaTruong"], head["CapHoc"], head["NamHoc"], int(head["LoaiBanGhi"]), records)


def _record(element: ET.Element) -> Sent:
    version = element.get("PhienBan", "")
    sent = Sent(element.get("IdBanGhi", ""), element.get("SuKien", ""), int(version or 0), _content(element))
    if element.tag != "BanGhi" or not sent.id or sent.event not in EVENTS or sent.version <= 0:
        raise PackageError("Mỗi BanGhi cần IdBanGhi, SuKien (NEW, UPDATE, CANCEL) và PhienBan lớn hơn 0.")
    return sent


def _content(element: ET.Element) -> Content:
    content: Content = {}
    for field in element:
        if len(field):
            content[field.tag] = [{one.tag: one.text or "" for one in item} for item in field]
        elif field.text:
            content[field.tag] = field.text
    return content
