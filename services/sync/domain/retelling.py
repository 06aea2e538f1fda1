"""What records refuses, told to the sender of the row: in the sender's names, with places in the sender's batch.

Records knows neither the profile nor the slice of the batch a row came in, so its own words are kept only where its
reason is not known here, or what the reason is about is not told: as of a newer or an older version.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Final

from services.sync.domain import locked, problems
from services.sync.domain.problems import Called, Problem
from services.sync.domain.words import Text

_FACTS: Final[Mapping[str, tuple[str, ...]]] = MappingProxyType(
    {
        "NOT_A_SCHOOL": ("kind",),
        "OTHER_SOURCE": ("source",),
        "DUPLICATE_KEY": ("first_index",),
        "ROW_TOO_LARGE": ("size", "limit"),
        problems.LOCKED: locked.FACTS,
    }
)


@dataclass(frozen=True, slots=True)
class Told:
    """A problem as records tells it; places are counted among the rows that were sent to it."""

    place: int
    reason: str
    field: str
    text: Text
    stored_version: int
    metadata: Mapping[str, str]

    def shifted(self, by: int) -> "Told":
        """The same among rows of which `by` more stand before."""
        metadata = dict(self.metadata)
        if "first_index" in metadata:
            metadata["first_index"] = str(int(metadata["first_index"]) + by)
        return replace(self, place=self.place + by, metadata=metadata)


def retell(told: Told, *, school: str, key: str, called: Callable[[str], Called], twin: Text) -> Problem:
    """The problem for the sender; `twin` says where the same record stood first, if that is the matter."""
    if told.reason == problems.LOCKED:
        return Problem(told.reason, "", _locked(told, key=key), told.stored_version, told.metadata)
    if told.reason == "OTHER_SOURCE" and "since" in told.metadata:
        return Problem(told.reason, "", _handed_over(told), told.stored_version, told.metadata)
    name = called(told.field) if told.field else None
    if name is None:
        return Problem(told.reason, "", told.text, told.stored_version, told.metadata)
    match told.reason:
        case "UNKNOWN_UNIT":
            return problems.unknown_school(name, name.written or school)
        case "INVALID_DATE":
            return problems.invalid_date(name)
        case "INVALID_TEXT":
            return problems.forbidden_character(name)
    said = _words(told, name, school=name.written or school, key=key, twin=twin)
    return Problem(told.reason, name.field, said, told.stored_version, told.metadata)


def _locked(told: Told, *, key: str) -> Text:
    """Nothing is wrong with such a row nor with any field of it: it is told where it stands, and whom to ask."""
    if not all(fact in told.metadata for fact in _FACTS[problems.LOCKED]):
        return told.text
    try:
        return locked.locked(told.metadata, key=key)
    except ValueError:
        return told.text


def _handed_over(told: Told) -> Text:
    """The whole collection is another source's: no field of the row is wrong either."""
    try:
        return locked.handed_over(told.metadata)
    except (KeyError, ValueError):
        return told.text


def _words(told: Told, name: Called, *, school: str, key: str, twin: Text) -> Text:
    label, facts = name.label, told.metadata
    if told.field == "previous_key" and told.reason in ("DUPLICATE_KEY", "KEY_TAKEN", "KEY_CYCLE"):
        return _renamed(told.reason, name, key=key)
    if not all(key in facts for key in _FACTS.get(told.reason, ())):
        return told.text
    match told.reason:
        case "NOT_A_SCHOOL":
            kind = facts["kind"]
            return Text(
                f"{label.vi} “{school}” là đơn vị loại {kind}, không phải trường hay nhóm trẻ. Hãy ghi mã của trường.",
                f"{label.en} “{school}” is a unit of kind {kind}, no school or childcare group. Write a school's code.",
            )
        case "OTHER_SOURCE":
            source = facts["source"]
            return Text(
                f"Bản ghi “{key}” thuộc nguồn “{source}”, chỉ nguồn đó thay đổi được. Hãy sửa ở phần mềm của nguồn "
                "đó, hoặc đề nghị hiệu trưởng hay Sở bàn giao nguồn dữ liệu của trường.",
                f"The record “{key}” belongs to the source “{source}”, and only that one changes it. Correct it there, "
                "or ask the head teacher or the department to hand the school's data over to your source.",
            )
        case "VERSION_REUSED":
            version = told.stored_version
            return Text(
                f"{label.vi} “{version}” đã được gửi với nội dung khác. Hãy tăng giá trị này mỗi lần bản ghi thay đổi.",
                f"{label.en} “{version}” came before with other content. Raise it with each change of the record.",
            )
        case "DUPLICATE_KEY":
            return Text(
                f"Bản ghi có khóa “{key}” đã có ở {twin.vi} của cùng lô. Hãy chỉ gửi mỗi bản ghi một lần trong một lô.",
                f"The record with the key “{key}” is in {twin.en} of this batch already. Send it once a batch.",
            )
        case "RECORD_ERASED":
            return Text(
                f"{label.vi}: dữ liệu này đã được xóa theo yêu cầu của chủ thể dữ liệu và không được lưu lại. Hãy bỏ "
                "dòng này khỏi dữ liệu gửi.",
                f"{label.en}: this was erased at the person's request and is not stored again. Take the row out of "
                "what you send.",
            )
        case "ROW_TOO_LARGE":
            size, limit = facts["size"], facts["limit"]
            return Text(
                f"Bản ghi dài {size} byte, vượt mức {limit} byte. Hãy bỏ bớt nội dung dài của bản ghi.",
                f"The record takes {size} bytes, more than the {limit} allowed. Leave out some of its long content.",
            )
    return told.text


def _renamed(reason: str, name: Called, *, key: str) -> Text:
    label = name.label
    if reason == "KEY_TAKEN":
        return Text(
            f"Dưới khóa mới “{key}” đã có một bản ghi khác, bên cạnh bản ghi ghi trong {label.vi}. Nếu là cùng một "
            "người, hãy báo xóa bản ghi thừa; nếu bản ghi kia cũng đổi khóa, hãy gửi nó trước, trong một lô riêng; nếu "
            "không, hãy chọn khóa khác.",
            f"Another record is there under the new key “{key}”, beside the one that {label.en} names. If they are one "
            "person's, send the deletion of the surplus one; where that one changes its key as well, send it first, in "
            "a batch of its own; else choose another key.",
        )
    if reason == "KEY_CYCLE":
        return Text(
            f"{label.vi} và khóa “{key}” thuộc một vòng khóa đổi cho nhau trong cùng lô, nên không dòng nào của vòng "
            "được lưu. Hãy gửi qua một khóa tạm trong các lô nối tiếp nhau: trước hết một bản ghi sang khóa tạm, rồi "
            "các bản ghi còn lại, cuối cùng bản ghi ở khóa tạm sang khóa mới. Nếu bản ghi chỉ trở về khóa cũ, hãy gửi "
            f"nó dưới khóa đó và để trống {label.vi}.",
            f"{label.en} and the key “{key}” belong to a circle of keys that rows of the batch give each other: none "
            "of them is stored. Change them in batches that follow each other, by way of a temporary key: first one "
            "record to the temporary key, then the others, at last that one to its new key. A record that only got its "
            f"old key back is sent under that, with {label.en} left empty.",
        )
    return Text(
        f"{label.vi} trùng với khóa của chính dòng này hoặc của một dòng khác trong cùng lô. Khi khóa đổi, hãy chỉ gửi "
        "một dòng dưới khóa mới, mỗi lần đổi một phiên bản cao hơn.",
        f"{label.en} is this row's own key, or another row of the batch has it. When a key changes, send one row under "
        "the new key, each time under a higher version.",
    )
