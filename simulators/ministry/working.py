"""Works on typed packages that were taken: checks each record against rules and what is held, writes what passes."""

import json
import threading
import time

from simulators.ministry import packages
from simulators.ministry.faults import FaultBox, Faults
from simulators.ministry.packages import Package, Sent
from simulators.ministry.records import OLD, TAKEN, Problem, check, fault_of, put, refused
from simulators.ministry.rules import Rules
from simulators.ministry.store import DONE, WORKING, Store, Writing


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
        problem = check(writes, package, sent, kind, rules)
    problem = problem or fault_of(sent, faults)
    if problem is not None:
        return refused(sent, problem, version=sent.version)
    assert kind is not None, "a record without a type was refused"
    content = json.loads(held["content"]) if deletes and held is not None else sent.content
    put(writes, package, sent, kind, content, request_id=package.request_id)
    return {"IdBanGhi": sent.id, "PhienBan": sent.version, "KetQua": TAKEN}


def _check_deletion(sent: Sent, *, deletes: bool, held: bool) -> Problem | None:
    if not deletes or sent.event != "CANCEL":
        return Problem("SU_KIEN", "SuKien", "Xóa cần SuKien CANCEL và loại bản ghi xóa (90…).")
    return None if held else Problem("KHONG_CO", "IdBanGhi", "Không có bản ghi để xóa.")
