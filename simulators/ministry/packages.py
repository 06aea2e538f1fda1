"""What is sent, in either form: typed packages (XML, plain or gzip) and record events (JSON).

Refuses what is not well formed, too large, or does not say what it is about.
"""

import gzip
import io
import json
from dataclasses import dataclass
from typing import Any
from xml.etree import ElementTree as ET

MOST_BYTES = 32_000_000
EVENTS = ("NEW", "UPDATE", "CANCEL")
EVENT_FIELDS = ("IdBanGhi", "SuKien", "PhienBan", "ThoiGianCapNhat", "NgayCapNhat")
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
class Origin:
    """Whose records are sent."""

    school: str
    level: str
    year: str
    records: tuple[Sent, ...]


@dataclass(frozen=True)
class Package(Origin):
    """Records of one type, under a request id."""

    request_id: str
    record_type: int


@dataclass(frozen=True)
class Events(Origin):
    """Events of one data set."""

    data_set: str


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
    origin = head["MaTruong"], head["CapHoc"], head["NamHoc"], records
    return Package(*origin, request_id=head["MaYeuCau"], record_type=int(head["LoaiBanGhi"]))


def read_events(body: bytes) -> Events:
    """Read events."""
    try:
        said = json.loads(body)
        head = [str(said[name]) for name in ("MaTruong", "CapHoc", "NamHoc", "BoDuLieu")]
        records = tuple(_event(one) for one in said["BanGhi"])
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        if isinstance(error, PackageError):
            raise
        raise PackageError("Cần JSON có MaTruong, CapHoc, NamHoc, BoDuLieu và danh sách BanGhi.") from error
    school, level, year, data_set = head
    return Events(school, level, year, records, data_set=data_set)


def _event(said: dict[str, Any]) -> Sent:
    head = {name: said.pop(name, "") for name in EVENT_FIELDS}
    version = head["PhienBan"]
    if not head["IdBanGhi"] or head["SuKien"] not in EVENTS or type(version) is not int or version <= 0:
        raise PackageError("Mỗi bản ghi cần IdBanGhi, SuKien (NEW, UPDATE, CANCEL) và PhienBan là số nguyên dương.")
    if not head["ThoiGianCapNhat"] or not head["NgayCapNhat"]:
        raise PackageError("Mỗi bản ghi cần ThoiGianCapNhat và NgayCapNhat.")
    if wrong := [name for name, value in said.items() if not _is_content(value)]:
        raise PackageError(f"{wrong[0]} phải là một chuỗi hoặc danh sách đối tượng.")
    return Sent(head["IdBanGhi"], head["SuKien"], version, said)


def _is_content(value: object) -> bool:
    if isinstance(value, list):
        return all(isinstance(one, dict) and all(isinstance(text, str) for text in one.values()) for one in value)
    return isinstance(value, str)


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
