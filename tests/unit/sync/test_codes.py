"""Codes of a catalogue: who is in it passes, who is not is named with what can be."""

import json
from importlib.resources import files
from typing import Any

import pytest

from services.sync.convert.rules import load_rules
from services.sync.domain.codes import read_lists, unlisted

TABLE: dict[str, Any] = json.loads((files("services.sync") / "rules" / "codes.json").read_text("utf-8"))
UNLISTED = load_rules().unlisted


def test_the_catalogues_are_whole() -> None:
    """Twelve statuses, fifty-four ethnic groups and the foreigners, each with its source."""
    statuses, groups = read_lists(TABLE)
    assert list(statuses.codes) == [f"{number:02d}" for number in range(1, 13)]
    assert list(groups.codes) == [f"{number:02d}" for number in range(1, 56)]
    assert all(one.source and one.valid_from and all(one.codes.values()) for one in (statuses, groups))


@pytest.mark.parametrize("code", ["", "01", "12"])
def test_a_listed_code_passes(code: str) -> None:
    """And an empty one: whether a field may be empty is another rule's matter."""
    assert UNLISTED("pupil.status", code, 2026) is None


@pytest.mark.parametrize("code", ["1", "13", "77", "dang hoc", "01 "])
def test_an_unlisted_code_is_told_with_those_that_can_be(code: str) -> None:
    """With their names."""
    known = UNLISTED("pupil.status", code, 2026)
    assert known is not None
    assert known["01"] == "Đang học"


def test_a_list_counts_for_the_school_years_it_is_valid_in() -> None:
    """A new code of the ministry is another list, not another program; without a list nothing is refused."""
    old = TABLE["lists"][0] | {"valid_to": "2027-07-01"}
    new = TABLE["lists"][0] | {"valid_from": "2027-07-01", "codes": {"01": "Đang học", "13": "Bảo lưu"}}
    found = unlisted(read_lists({"sources": TABLE["sources"], "lists": [old, new]}))
    assert found("pupil.status", "13", 2026) is not None
    assert found("pupil.status", "13", 2027) is None
    assert found("pupil.status", "02", 2027) is not None
    assert found("staff_member.status", "77", 2026) is None
