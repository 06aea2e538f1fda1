"""Packages as they leave: the ministry's XML, and the JSON that subscribers are told by."""

import json
import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from services.sync.convert.outgoing import RECORDS
from services.sync.domain.composing import Content


@dataclass(frozen=True, slots=True)
class Item:
    """One record of a package."""

    record_id: UUID
    type: int
    key: str
    event: str  # NEW, UPDATE or CANCEL
    version: int
    position: int
    content: Content


@dataclass(frozen=True, slots=True)
class Head:
    """What a package is about."""

    package_id: UUID
    unit_code: str
    school_id: int
    level: str
    school_year: int
    record_type: int
    at: datetime


def ministry_package(head: Head, items: Iterable[Item]) -> bytes:
    """A package in the ministry's form."""
    said = {
        "MaYeuCau": str(head.package_id),
        "MaTruong": head.unit_code,
        "CapHoc": head.level,
        "NamHoc": str(head.school_year),
        "LoaiBanGhi": str(head.record_type),
    }
    stamp = f' ThoiGianCapNhat="{head.at.isoformat()}"'
    parts = [f"<YeuCau{''.join(f' {name}={quoteattr(value)}' for name, value in said.items())}>"]
    parts += [
        f'<BanGhi IdBanGhi="{item.record_id}" SuKien="{item.event}" PhienBan="{item.version}"{stamp}>'
        f"{''.join(_element(name, value) for name, value in item.content.items())}</BanGhi>"
        for item in items
    ]
    parts.append("</YeuCau>")
    return "".join(parts).encode()


def without_records(package: bytes, record_ids: Collection[str]) -> tuple[bytes, int, int]:
    """A package in the ministry's form without what some records hold; how many were taken out and are left.

    That one is gone says nothing of what it held, and stays.
    """
    taken_out = kept = 0

    def left(record: re.Match[bytes]) -> bytes:
        nonlocal taken_out, kept
        out = record["id"].decode() in record_ids and record["event"] != b"CANCEL"
        taken_out, kept = taken_out + out, kept + (not out)
        return b"" if out else record[0]

    return _RECORD.sub(left, package), taken_out, kept


# Texts are escaped, so that no record ends before its end.
_RECORD = re.compile(
    rb'<BanGhi IdBanGhi="(?P<id>[^"]*)" SuKien="(?P<event>[^"]*)".*?</BanGhi>',
    re.DOTALL,
)


def _element(name: str, value: object) -> str:
    if isinstance(value, str):
        return f"<{name}>{escape(value)}</{name}>"
    assert isinstance(value, list), "a content holds texts and lists"
    inner = "".join(
        f"<PHAN_TU>{''.join(_element(one, said) for one, said in item.items())}</PHAN_TU>" for item in value
    )
    return f"<{name}>{inner}</{name}>"


def webhook_delivery(head: Head, items: Iterable[Item], *, destination: str) -> bytes:
    """A delivery to a subscriber: which records changed, where to read them, and nothing of what they hold."""
    told = [
        {
            "record_id": str(item.record_id),
            "type": RECORDS[item.type],
            "key": item.key,
            "event": item.event,
            "version": item.version,
            "position": item.position,
        }
        for item in items
    ]
    body = {
        "delivery_id": str(head.package_id),
        "destination": destination,
        "create_time": head.at.isoformat(),
        "school_id": head.school_id,
        "school": head.unit_code,
        "changes": told,
    }
    return json.dumps(body, ensure_ascii=False, separators=(",", ":")).encode()
