"""Judges record events: NEW begins a record, UPDATE goes on with it, CANCEL ends it, each under a higher version.

The same event once more under the version that is held does nothing and is told as such. Everything else is refused
with what is held, so that the sender can tell why.
"""

import json
import sqlite3

from simulators.ministry.faults import Faults
from simulators.ministry.packages import Events, Sent
from simulators.ministry.records import OLD, TAKEN, Problem, check, fault_of, put, refused
from simulators.ministry.rules import Rules
from simulators.ministry.store import Writing, digest_of


def settle(writes: Writing, events: Events, sent: Sent, rules: Rules, faults: Faults) -> dict[str, object]:
    """Write one event if it may be; returns what became of it."""
    held = writes.one("SELECT * FROM record WHERE id = ?", sent.id)
    if held is not None and _repeats(sent, held):
        return {"IdBanGhi": sent.id, "PhienBan": sent.version, "KetQua": OLD}
    content = json.loads(held["content"]) if held is not None and sent.event == "CANCEL" else sent.content
    kind = rules.type_named(events.data_set, str(content.get("GIAI_DOAN", "")))
    problem = _succession(sent, held, events)
    if problem is None and kind is None:
        problem = Problem("BO_DU_LIEU", "BoDuLieu", f"Không có bộ dữ liệu {events.data_set}.")
    if problem is None and sent.event != "CANCEL":
        assert kind is not None, "a record without a type was refused"
        problem = check(writes, events, sent, kind, rules)
    problem = problem or fault_of(sent, faults)
    if problem is not None:
        return refused(sent, problem, version=held["version"] if held is not None else 0)
    assert kind is not None, "a record without a type was refused"
    put(writes, events, sent, kind, content, request_id="SuKien")
    return {"IdBanGhi": sent.id, "PhienBan": sent.version, "KetQua": TAKEN}


def _repeats(sent: Sent, held: sqlite3.Row) -> bool:
    """Whether this very event has been taken."""
    cancels = sent.event == "CANCEL"
    same = cancels == bool(held["cancelled"]) and sent.version == held["version"]
    return same and (cancels or digest_of(sent.content) == held["digest"])


def _succession(sent: Sent, held: sqlite3.Row | None, events: Events) -> Problem | None:
    """Whether an event may follow what is held."""
    if held is not None and (held["school"], held["object"]) != (events.school, events.data_set):
        return Problem("BAN_GHI_KHAC", "IdBanGhi", "IdBanGhi này thuộc trường hoặc bộ dữ liệu khác.")
    there = held is not None and not held["cancelled"]
    if sent.event == "NEW" and there:
        return Problem("DA_CO", "SuKien", "Bản ghi đã có: gửi UPDATE thay vì NEW.")
    if sent.event == "UPDATE" and not there:
        return Problem("CHUA_CO", "SuKien", "Chưa có bản ghi này: gửi NEW trước UPDATE.")
    if sent.event == "CANCEL" and not there:
        return Problem("KHONG_CO", "SuKien", "Không có bản ghi để hủy.")
    if held is not None and sent.version <= held["version"]:
        said = f"PhienBan {sent.version} không lớn hơn {held['version']} đang có."
        return Problem("PHIEN_BAN", "PhienBan", said)
    return None
