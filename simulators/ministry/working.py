"""Works on packages that were taken: checks each record against the rules and what is held, and writes what passes."""

import json
import sqlite3
import threading
import time
from dataclasses import dataclass

from simulators.ministry import packages
from simulators.ministry.faults import FaultBox, Faults
from simulators.ministry.packages import Package, Sent
from simulators.ministry.rules import RecordType, Rules
from simulators.ministry.store import DONE, WORKING, Store, Writing, digest_of

TAKEN, OLD, REFUSED = 1, 2, 3


@dataclass(frozen=True)
class Problem:
    """Why a record is refused."""

    code: str
    field: str
    text: str


class Worker(threading.Thread):
    """Takes one package after the other until told to stop."""

    def __init__(self, store: Store, rules: Rules, faults: FaultBox) -> None:
        super().__init__(name="working", daemon=True)
        self._store, self._rules, self._faults = store, rules, faults
        self.bell = threading.Event()
        self.stopping = False

    def run(self) -> None:
        """Work."""
        while not self.stopping:
            self.bell.wait(0.2)
            self.bell.clear()
            for row in self._store.rows("SELECT request_id, body FROM package WHERE state < ? ORDER BY rowid", DONE):
                with self._store.writing() as writes:
                    writes.run("UPDATE package SET state = ? WHERE request_id = ?", WORKING, row["request_id"])
                time.sleep(self._faults.now.processing_seconds)
                self._work(packages.read(row["body"]))

    def _work(self, package: Package) -> None:
        faults = self._faults.now
        with self._store.writing() as writes:
            outcome = [settle(writes, package, one, self._rules, faults) for one in package.records]
            writes.run(
                "UPDATE package SET state = ?, outcome = ?, body = '' WHERE request_id = ?",
                *(DONE, json.dumps(outcome, ensure_ascii=False), package.request_id),
            )


def settle(writes: Writing, package: Package, sent: Sent, rules: Rules, faults: Faults) -> dict[str, object]:
    """Write one record if it may be; returns what became of it."""
    held = writes.one("SELECT * FROM record WHERE id = ?", sent.id)
    if held is not None and sent.version <= held["version"]:
        return {"IdBanGhi": sent.id, "PhienBan": held["version"], "KetQua": OLD}
    kind, deletes = rules.type_of(package.record_type)
    if kind is None:
        problem: Problem | None = Problem("LOAI_BAN_GHI", "LoaiBanGhi", "Không có loại bản ghi này.")
    elif deletes or sent.event == "CANCEL":
        problem = _check_deletion(sent, deletes=deletes, held=held is not None)
    else:
        problem = _check(writes, package, sent, kind, rules)
    if problem is None and {sent.id, *map(str, sent.content.values())} & set(faults.refuse_ids):
        problem = Problem(faults.refuse_reason, "", "Lỗi mô phỏng: từ chối bản ghi này.")
    if problem is not None:
        told = {"MaLoi": problem.code, "Truong": problem.field, "ThongBao": problem.text}
        return {"IdBanGhi": sent.id, "PhienBan": sent.version, "KetQua": REFUSED, **told}
    assert kind is not None, "a record without a type was refused"
    content = json.loads(held["content"]) if deletes and held is not None else sent.content
    row = {
        "id": sent.id,
        "school": package.school,
        "year": package.year,
        "object": kind.object,
        "key": _key(kind, content),
        "version": sent.version,
        "cancelled": int(deletes),
        "content": json.dumps(content, ensure_ascii=False),
        "digest": digest_of(content),
    }
    writes.put(row, request_id=package.request_id)
    return {"IdBanGhi": sent.id, "PhienBan": sent.version, "KetQua": TAKEN}


def _check_deletion(sent: Sent, *, deletes: bool, held: bool) -> Problem | None:
    if not deletes or sent.event != "CANCEL":
        return Problem("SU_KIEN", "SuKien", "Xóa cần SuKien CANCEL và loại bản ghi xóa (90…).")
    return None if held else Problem("KHONG_CO", "IdBanGhi", "Không có bản ghi để xóa.")


def _check(writes: Writing, package: Package, sent: Sent, kind: RecordType, rules: Rules) -> Problem | None:
    for name in kind.required:
        if not sent.content.get(name):
            return Problem("CONTENT", name, f"Content chưa đúng: thiếu {name}.")
    for name, value in sent.content.items():
        codes = rules.codes.get((kind.object, name))
        if codes is not None and value not in codes:
            return Problem("CONTENT", name, f"Content chưa đúng: {name} không có mã {value}.")
    if kind.stage and sent.content.get("GIAI_DOAN") != kind.stage:
        return Problem("CONTENT", "GIAI_DOAN", f"Content chưa đúng: loại bản ghi này là của {kind.stage}.")
    if kind.needs_school and not _known(writes, package, "TRUONG", ""):
        return Problem("THU_TU", "MaTruong", f"Chưa có bản ghi TRUONG năm học {package.year}: gửi trường trước.")
    for name, target in kind.references.items():
        if value := sent.content.get(name):
            problem = _check_reference(writes, package, name, target, str(value), kind=kind, rules=rules)
            if problem:
                return problem
    return _check_key(writes, package, sent, kind)


def _check_reference(
    writes: Writing, package: Package, name: str, target: str, value: str, *, kind: RecordType, rules: Rules
) -> Problem | None:
    named = _known(writes, package, target, value)
    if named is None:
        return Problem("THU_TU", name, f"Chưa có {target} {value}: gửi trường, giáo viên, lớp, học sinh rồi kết quả.")
    status = json.loads(named["content"]).get("MA_TRANG_THAI_HIEN_TAI")
    if kind.object == "KET_QUA" and status not in rules.studying:
        return Problem("TRANG_THAI", name, "Chỉ nhận kết quả của học sinh đang học.")
    return None


def _known(writes: Writing, package: Package, kind: str, key: str) -> sqlite3.Row | None:
    return writes.one(
        "SELECT content FROM record WHERE school = ? AND year = ? AND object = ? AND key = ? AND cancelled = 0",
        *(package.school, package.year, kind, key),
    )


def _check_key(writes: Writing, package: Package, sent: Sent, kind: RecordType) -> Problem | None:
    other = writes.one(
        "SELECT id FROM record WHERE school = ? AND year = ? AND object = ? AND key = ? AND cancelled = 0 AND id <> ?",
        *(package.school, package.year, kind.object, _key(kind, sent.content), sent.id),
    )
    return None if other is None else Problem("TRUNG_KHOA", "IdBanGhi", "Bản ghi này đã có dưới IdBanGhi khác.")


def _key(kind: RecordType, content: packages.Content) -> str:
    return ".".join(str(content.get(name, "")) for name in kind.key)
