"""What may be held of a record, whichever form it came in, and how it is held."""

import json
import sqlite3
from dataclasses import dataclass

from simulators.ministry.faults import Faults
from simulators.ministry.packages import Content, Origin, Sent
from simulators.ministry.rules import RecordType, Rules
from simulators.ministry.store import Writing, digest_of

TAKEN, OLD, REFUSED = 1, 2, 3


@dataclass(frozen=True)
class Problem:
    """Why a record is refused."""

    code: str
    field: str
    text: str


def check(writes: Writing, origin: Origin, sent: Sent, kind: RecordType, rules: Rules) -> Problem | None:
    """Why a record may not be held with what was sent; None: it may."""
    for name in kind.required:
        if not sent.content.get(name):
            return Problem("CONTENT", name, f"Content chưa đúng: thiếu {name}.")
    for name, value in sent.content.items():
        codes = rules.codes.get((kind.object, name))
        if codes is not None and value not in codes:
            return Problem("CONTENT", name, f"Content chưa đúng: {name} không có mã {value}.")
    if kind.stage and sent.content.get("GIAI_DOAN") != kind.stage:
        return Problem("CONTENT", "GIAI_DOAN", f"Content chưa đúng: loại bản ghi này là của {kind.stage}.")
    if kind.needs_school and not _known(writes, origin, "TRUONG", ""):
        return Problem("THU_TU", "MaTruong", f"Chưa có bản ghi TRUONG năm học {origin.year}: gửi trường trước.")
    for name, target in kind.references.items():
        if value := sent.content.get(name):
            problem = _check_reference(writes, origin, name, target, str(value), kind=kind, rules=rules)
            if problem:
                return problem
    return _check_key(writes, origin, sent, kind)


def _check_reference(
    writes: Writing, origin: Origin, name: str, target: str, value: str, *, kind: RecordType, rules: Rules
) -> Problem | None:
    named = _known(writes, origin, target, value)
    if named is None:
        return Problem("THU_TU", name, f"Chưa có {target} {value}: gửi trường, giáo viên, lớp, học sinh rồi kết quả.")
    status = json.loads(named["content"]).get("MA_TRANG_THAI_HIEN_TAI")
    if kind.object == "KET_QUA" and status not in rules.studying:
        return Problem("TRANG_THAI", name, "Chỉ nhận kết quả của học sinh đang học.")
    return None


def _known(writes: Writing, origin: Origin, kind: str, key: str) -> sqlite3.Row | None:
    return writes.one(
        "SELECT content FROM record WHERE school = ? AND year = ? AND object = ? AND key = ? AND cancelled = 0",
        *(origin.school, origin.year, kind, key),
    )


def _check_key(writes: Writing, origin: Origin, sent: Sent, kind: RecordType) -> Problem | None:
    other = writes.one(
        "SELECT id FROM record WHERE school = ? AND year = ? AND object = ? AND key = ? AND cancelled = 0 AND id <> ?",
        *(origin.school, origin.year, kind.object, _key(kind, sent.content), sent.id),
    )
    return None if other is None else Problem("TRUNG_KHOA", "IdBanGhi", "Bản ghi này đã có dưới IdBanGhi khác.")


def _key(kind: RecordType, content: Content) -> str:
    return ".".join(str(content.get(name, "")) for name in kind.key)


def fault_of(sent: Sent, faults: Faults) -> Problem | None:
    """The refusal that the simulator was told to give."""
    if {sent.id, *map(str, sent.content.values())} & set(faults.refuse_ids):
        return Problem(faults.refuse_reason, "", "Lỗi mô phỏng: từ chối bản ghi này.")
    return None


def refused(sent: Sent, problem: Problem, *, version: int) -> dict[str, object]:
    """What is told of a refused record, with a version."""
    told = {"MaLoi": problem.code, "Truong": problem.field, "ThongBao": problem.text}
    return {"IdBanGhi": sent.id, "PhienBan": version, "KetQua": REFUSED, **told}


def put(writes: Writing, origin: Origin, sent: Sent, kind: RecordType, content: Content, *, request_id: str) -> None:
    """Hold a record."""
    row = {
        "id": sent.id,
        "school": origin.school,
        "year": origin.year,
        "object": kind.object,
        "key": _key(kind, content),
        "version": sent.version,
        "cancelled": int(sent.event == "CANCEL"),
        "content": json.dumps(content, ensure_ascii=False),
        "digest": digest_of(content),
    }
    writes.put(row, request_id=request_id)
