"""The words of dimensions in figures are those by which sync checks the codes that come in."""

import json
from pathlib import Path

import pytest

from services.reporting.domain.catalogue import DIMENSIONS
from services.reporting.domain.extracts import COLUMNS
from services.reporting.store.catalogue import load_catalogue

SYNC = Path(__file__).parents[2] / "services" / "sync"


def _checked() -> dict[str, dict[str, str]]:
    catalogues = json.loads((SYNC / "catalogues" / "codes.json").read_text("utf-8"))["catalogues"]
    lists = json.loads((SYNC / "rules" / "codes.json").read_text("utf-8"))["lists"]
    codes = {one["name"]: one.get("codes", {}) for one in catalogues}
    [groups] = [one["codes"] for one in lists if "pupil.ethnic_group" in one["fields"]]
    return {
        "level": codes["DM_CAP_HOC"],
        "grade": codes["DM_KHOI"],
        "sex": codes["DM_GIOI_TINH"],
        "ethnic_group": groups,
    }


@pytest.mark.parametrize("dimension", ["level", "grade", "sex", "ethnic_group"])
def test_a_code_is_called_in_figures_what_it_is_called_where_it_comes_in(dimension: str) -> None:
    """Nobody reads two names of one code; what is more here stands for no code: not known, withheld."""
    [words] = load_catalogue().named([dimension])
    assert {one.code: one.name_vi for one in words.values if one.code not in {"", "*"}} == _checked()[dimension]


def test_every_dimension_and_column_has_a_name() -> None:
    """Also one that is added tomorrow."""
    named = {one.code: one for one in load_catalogue().dimensions}
    assert set(named) == {*DIMENSIONS, *COLUMNS}
    assert all(one.name_vi and one.name_en for one in named.values())


def test_every_outcome_that_indicators_choose_has_a_name() -> None:
    """A level of a circular is told in words."""
    catalogue = load_catalogue()
    words = {one.code: {value.code for value in one.values} for one in catalogue.dimensions}
    chosen = {
        (name, value)
        for indicator in catalogue.indicators
        for term in indicator.terms
        for name, value in (*term.where, *term.default)
    }
    assert chosen
    assert [(name, value) for name, value in chosen if value not in words[name]] == []
