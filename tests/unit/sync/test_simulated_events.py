"""The simulator is strict about record events: what does not follow on what is held is refused with the reason."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from simulators.ministry.rules import load_rules
from simulators.ministry.service import Grant, Ministry
from simulators.ministry.store import Store

GRANT = Grant("49506001", "03", time.time() + 1e6)
NAME = {"TEN": "THCS Nguyễn Du"}


@pytest.fixture
def ministry(tmp_path: Path) -> Iterator[Ministry]:
    """The simulator, without its HTTP face."""
    store = Store(tmp_path / "ministry.db")
    yield Ministry(store, load_rules(), user="u", password="p")
    store.close()


def told(ministry: Ministry, *events: tuple[str, int, dict[str, Any]], data_set: str = "TRUONG", **head: str) -> Any:
    """What is answered to events of one record."""
    times = {"ThoiGianCapNhat": "2026-11-02T08:00:00+07:00", "NgayCapNhat": "2026-11-02"}
    records = [
        {"IdBanGhi": "a", "SuKien": event, "PhienBan": version, **times, **content}
        for event, version, content in events
    ]
    said = {"MaTruong": "49506001", "CapHoc": "03", "NamHoc": "2026", "BoDuLieu": data_set, "BanGhi": records, **head}
    return ministry.take_events(GRANT, json.dumps(said).encode())


def results(ministry: Ministry, *events: tuple[str, int, dict[str, Any]]) -> list[tuple[int, str, int]]:
    """Result, reason and version of each."""
    status, said = told(ministry, *events)
    assert status == 200, said
    return [(one["KetQua"], one.get("MaLoi", ""), one["PhienBan"]) for one in said["KetQua"]]


@pytest.mark.parametrize(
    ("before", "event", "answer"),
    [
        ([], ("NEW", 5, NAME), (1, "", 5)),
        ([], ("UPDATE", 5, NAME), (3, "CHUA_CO", 0)),
        ([], ("CANCEL", 5, {}), (3, "KHONG_CO", 0)),
        ([("NEW", 5, NAME)], ("NEW", 6, NAME), (3, "DA_CO", 5)),
        ([("NEW", 5, NAME)], ("NEW", 5, NAME), (2, "", 5)),
        ([("NEW", 5, NAME)], ("NEW", 5, {"TEN": "Khác"}), (3, "DA_CO", 5)),
        ([("NEW", 5, NAME)], ("UPDATE", 6, NAME), (1, "", 6)),
        ([("NEW", 5, NAME)], ("UPDATE", 5, {"TEN": "Khác"}), (3, "PHIEN_BAN", 5)),
        ([("NEW", 5, NAME)], ("UPDATE", 4, NAME), (3, "PHIEN_BAN", 5)),
        ([("NEW", 5, NAME)], ("CANCEL", 5, {}), (3, "PHIEN_BAN", 5)),
        ([("NEW", 5, NAME)], ("CANCEL", 6, {}), (1, "", 6)),
        ([("NEW", 5, NAME), ("CANCEL", 6, {})], ("CANCEL", 6, {}), (2, "", 6)),
        ([("NEW", 5, NAME), ("CANCEL", 6, {})], ("CANCEL", 7, {}), (3, "KHONG_CO", 6)),
        ([("NEW", 5, NAME), ("CANCEL", 6, {})], ("UPDATE", 7, NAME), (3, "CHUA_CO", 6)),
        ([("NEW", 5, NAME), ("CANCEL", 6, {})], ("NEW", 6, NAME), (3, "PHIEN_BAN", 6)),
        ([("NEW", 5, NAME), ("CANCEL", 6, {})], ("NEW", 7, NAME), (1, "", 7)),
        ([("NEW", 5, NAME)], ("UPDATE", 6, {}), (3, "CONTENT", 5)),
    ],
)
def test_each_event_is_taken_or_refused_by_what_is_held(ministry: Ministry, before, event, answer) -> None:
    """A repeat is harmless; the version that is held is told with every refusal."""
    assert [one[0] for one in results(ministry, *before)] == [1] * len(before)
    held = ministry.store.rows("SELECT * FROM record")

    assert results(ministry, event) == [answer]
    if answer[0] != 1:
        assert ministry.store.rows("SELECT * FROM record") == held
    assert len(ministry.store.rows("SELECT * FROM journal")) == len(before) + (answer[0] == 1)


@pytest.mark.parametrize(
    ("head", "status", "code"),
    [
        ({"BoDuLieu": "LA"}, 200, "BO_DU_LIEU"),
        ({"MaTruong": "1"}, 403, "SAI_DON_VI"),
        ({"BanGhi": "x"}, 400, "GOI_TIN"),
    ],
)
def test_what_is_of_nobody_here_is_refused(ministry: Ministry, head: dict[str, str], status: int, code: str) -> None:
    """Another school than the token's, an unknown data set, something else than events."""
    answered, said = told(ministry, ("NEW", 1, NAME), **head)

    assert (answered, said.get("MaLoi") or said["KetQua"][0]["MaLoi"]) == (status, code)


def test_an_id_stays_that_of_one_record(ministry: Ministry) -> None:
    """An event of another data set under it is no repeat and no successor."""
    results(ministry, ("NEW", 5, NAME))
    _, said = told(ministry, ("NEW", 6, {"MA": "6A", "TEN": "6A", "MA_KHOI": "06"}), data_set="LOP")

    assert said["KetQua"][0]["MaLoi"] == "BAN_GHI_KHAC"
