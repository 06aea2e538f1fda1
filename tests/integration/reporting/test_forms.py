"""Forms: the shipped samples work, versions are never changed, and what cannot work is refused by its field."""

from typing import Any

import pytest
from iocedu.reporting.v1 import forms_pb2

from chassis.errors import Fault, Kind
from tests.integration.reporting.report_scenes import COMMUNE_DIRECTOR, OFFICER, Desk, form


def save(given: forms_pb2.Form, unit: str = "gso:49", **fields: Any) -> forms_pb2.SaveFormRequest:
    """A request to save a form."""
    return forms_pb2.SaveFormRequest(unit=unit, form=given, **fields)


async def test_every_shipped_form_works_and_says_that_it_is_a_sample(desk: Desk):
    """Start, middle and end of the year for four levels: each binding and each check is found to work."""
    listed = (await desk.forms().ListForms(forms_pb2.ListFormsRequest())).forms
    assert len(listed) == 12
    assert {one.stage for one in listed} == {"start", "middle", "end"}
    assert all(one.sample and not one.sheets and one.unit_id == 0 for one in listed)
    for one in listed:
        whole = (await desk.forms().GetForm(forms_pb2.GetFormRequest(code=one.code))).form
        assert whole.sheets
        whole.code = f"our_{whole.code}"
        await desk.forms().SaveForm(save(whole, validate_only=True))
    assert len((await desk.forms().ListForms(forms_pb2.ListFormsRequest())).forms) == 12, "nothing was saved"


async def test_saving_makes_the_next_version_and_leaves_the_former(desk: Desk):
    """Reports stay on the version they began with."""
    assert (await desk.forms().SaveForm(save(form()))).form.version == 1
    assert (await desk.forms().SaveForm(save(form(name_vi="Khảo sát 2")))).form.version == 2
    first = (await desk.forms().GetForm(forms_pb2.GetFormRequest(code="khao_sat", version=1))).form
    assert (first.name_vi, first.created_by, first.sample) == ("Khảo sát", "giam-doc", False)
    assert (await desk.forms().GetForm(forms_pb2.GetFormRequest(code="khao_sat"))).form.name_vi == "Khảo sát 2"


@pytest.mark.parametrize(
    ("change", "field", "word"),
    [
        (lambda f: setattr(f.sheets[0].columns[0], "indicator", "pupil"), "form.sheets[0].total.all", "no indicator"),
        (lambda f: setattr(f.sheets[0].columns[0], "indicator", ""), "form.sheets[0].total.all", "has no indicator"),
        (lambda f: setattr(f.sheets[0].columns[0], "indicator", "girls_share"), "form.sheets[0].total.all", "ratio"),
        (
            lambda f: f.sheets[0].rows[1].where.update({"ethnic_group": "26"}),
            "form.sheets[0].g03.all",
            "ethnic group",
        ),
        (lambda f: f.sheets[0].rows[1].where.update({"colour": "1"}), "form.sheets[0].g03.all", "colour"),
        (lambda f: f.sheets[0].rows[1].where.update({"sex": "1"}), "form.sheets[0].g03.girls", "two values"),
        (lambda f: f.sheets[0].rows[3].sum_of.append("g05"), "form.sheets[0].rows[3].sum_of", "g05"),
        (lambda f: setattr(f.sheets[0].rows[1], "code", "total"), "form.sheets[0].rows", "more than once"),
        (lambda f: f.sheets[0].rows[1].sum_of.append("both"), "form.sheets", "circle"),
        (lambda f: f.ClearField("sheets"), "form.sheets", "at least one"),
        (lambda f: setattr(f, "lock_period", "CK1"), "form.lock_period", "results"),
        (lambda f: setattr(f.checks[0], "condition", "cells.pupils.total.al > 0"), "form.checks[0].condition", "al"),
        (lambda f: setattr(f.checks[0], "condition", "cells.pupils.total.all >"), "form.checks[0].condition", "CEL"),
        (lambda f: setattr(f.checks[0], "condition", "cells.pupils.total.all"), "form.checks[0].condition", "int"),
        (
            lambda f: setattr(f.checks[0], "condition", "cells.rooms.area.number > 1.0 || cells.pupils.total.all"),
            "form.checks[0].condition",
            "fails",
        ),
        (
            lambda f: setattr(f.checks[0], "condition", "10 / cells.pupils.total.all > 0"),
            "form.checks[0].condition",
            "fails",
        ),
    ],
)
async def test_a_form_that_cannot_work_is_refused_by_its_field(desk: Desk, change, field: str, word: str):
    """Before anything is saved, with what is wrong in both languages."""
    given = form()
    change(given)
    with pytest.raises(Fault) as refused:
        await desk.forms().SaveForm(save(given))
    assert (refused.value.kind, refused.value.reason) == (Kind.INVALID, "FORM_INVALID")
    said = {one.field: one for one in refused.value.violations}
    assert word in said[field].en
    assert (await desk.forms().ListForms(forms_pb2.ListFormsRequest(page_size=1000))).forms[0].code != "khao_sat"


async def test_only_the_people_of_a_form_save_further_versions(desk: Desk):
    """Samples belong to nobody; an officer saves none at all."""
    await desk.forms().SaveForm(save(form()))
    sample = (await desk.forms().GetForm(forms_pb2.GetFormRequest(code="primary_start_of_year"))).form
    for stub, given, unit in (
        (desk.forms(COMMUNE_DIRECTOR), form(), "5"),
        (desk.forms(), sample, "gso:49"),
    ):
        with pytest.raises(Fault) as refused:
            await stub.SaveForm(save(given, unit))
        assert refused.value.reason == "FORM_OF_ANOTHER"
    with pytest.raises(Fault) as refused:
        await desk.forms(OFFICER).SaveForm(save(form(), "5"))
    assert refused.value.reason == "NO_GRANT"


async def test_an_unknown_form_is_named(desk: Desk):
    """With the version asked for."""
    with pytest.raises(Fault) as refused:
        await desk.forms().GetForm(forms_pb2.GetFormRequest(code="khao_sat", version=7))
    assert refused.value.reason == "UNKNOWN_FORM"
    assert (refused.value.metadata["form"], refused.value.metadata["version"]) == ("khao_sat", "7")
