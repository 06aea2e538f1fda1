"""Packages as they leave: the ministry's XML and JSON, and the JSON that subscribers are told by."""

import json
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID
from xml.sax.saxutils import escape, quoteattr

from chassis.clock import VIETNAM
from services.sync.convert.outgoing import RECORDS, Form
from services.sync.domain.composing import Content
from services.sync.domain.destinations import Destination, ExchangeForm


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


def written(head: Head, items: Sequence[Item], form: Form, *, destination: Destination) -> bytes:
    """A package in the form its destination speaks."""
    if destination.form is ExchangeForm.TYPED_PACKAGES:
        return typed_package(head, items)
    if destination.form is ExchangeForm.RECORD_EVENTS:
        return record_events(head, items, data_set=form.object_of(items[0].type))
    return webhook_delivery(head, items, destination=destination.code)


def typed_package(head: Head, items: Iterable[Item]) -> bytes:
    """A package of one record type, in XML."""
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


def record_events(head: Head, items: Iterable[Item], *, data_set: str) -> bytes:
    """Events of one data set, in JSON: the fields of each record beside its id, event, version and times."""
    at = head.at.astimezone(VIETNAM)
    told = [
        {
            "IdBanGhi": str(item.record_id),
            "SuKien": item.event,
            "PhienBan": item.version,
            "ThoiGianCapNhat": at.isoformat(),
            "NgayCapNhat": at.date().isoformat(),
            **item.content,
        }
        for item in items
    ]
    said = {
        "MaTruong": head.unit_code,
        "CapHoc": head.level,
        "NamHoc": str(head.school_year),
        "BoDuLieu": data_set,
        "BanGhi": told,
    }
    return json.dumps(said, ensure_ascii=False, separators=(",", ":")).encode()


def without_records(form: ExchangeForm, package: bytes, record_ids: Collection[str]) -> tuple[bytes, int, int]:
    """A package to the ministry without what some records hold; how many were taken out and are left.

    That one is gone says nothing of what it held, and stays.
    """
    if form is ExchangeForm.RECORD_EVENTS:
        return _without_events(package, record_ids)
    taken_out = kept = 0

    def left(record: re.Match[bytes]) -> bytes:
        nonlocal taken_out, kept
        out = record["id"].decode() in record_ids and record["event"] != b"CANCEL"
        taken_out, kept = taken_out + out, kept + (not out)
        return b"" if out else record[0]

    return _RECORD.sub(left, package), taken_out, kept


def _without_events(package: bytes, record_ids: Collection[str]) -> tuple[bytes, int, int]:
    said = json.loads(package)
    left = [one for one in said["BanGhi"] if one["IdBanGhi"] not in record_ids or one["SuKien"] == "CANCEL"]
    taken_out = len(said["BanGhi"]) - len(left)
    body = json.dumps(said | {"BanGhi": left}, ensure_ascii=False, separators=(",", ":")).encode()
    return body, taken_out, len(left)


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
