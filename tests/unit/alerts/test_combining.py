"""Which facts stand beside one, and what a rule over several kinds sees of them."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from services.alerts.domain import CLASS_SIZE, COVERAGE, Fact, Rule, Severity
from services.alerts.domain.combining import fields_together, keys_beside, next_look, stands_beside
from services.alerts.usecases.rulebook import RuleRefused, compile_rule

NOW = datetime(2026, 11, 24, 2, 0, tzinfo=UTC)
RULE = Rule(
    code="doubtful_size",
    version=1,
    fact_kind=CLASS_SIZE,
    with_kinds=(COVERAGE, "absence_day", "school_figures"),
    optional_kinds=("absence_day", "school_figures"),
    condition="fact.size > 35 && coverage.state == 'silent' && (!absence_day.known || absence_day.absent > 3)",
    severity=Severity.INFO,
    title_vi="{size} {coverage.state}",
    title_en="{size}",
    body_vi="",
    body_en="",
    audience_roles=("officer",),
)
A_CLASS = Fact(CLASS_SIZE, 100, "2026/6A/tin", 1, {"size": 40})
SILENT = Fact(COVERAGE, 100, "", 1, {"state": "silent"}, since=NOW)


def test_beside_a_class_stand_its_own_absence_its_years_figures_and_its_schools_coverage():
    """A source's key may hold what parts a subject."""
    assert keys_beside(RULE, A_CLASS) == {
        COVERAGE: (100, COVERAGE, ""),
        "absence_day": (100, "absence_day", "2026/6A/tin"),
        "school_figures": (100, "school_figures", "2026"),
    }
    assert not stands_beside(COVERAGE, CLASS_SIZE)


def test_a_fact_that_is_needed_and_missing_leaves_the_rule_undecided():
    """One that may be missing is empty and not known."""
    assert fields_together(RULE, A_CLASS, {}, NOW) is None
    fields = fields_together(RULE, A_CLASS, {SILENT.key: SILENT}, NOW)
    assert fields is not None
    assert (fields["coverage.state"], fields["coverage.known"]) == ("silent", True)
    assert (fields["absence_day.absent"], fields["absence_day.known"]) == (0, False)
    assert compile_rule(RULE).holds(fields) is True


def test_time_counts_beside_a_fact_where_the_rule_speaks_of_it():
    """Else nothing is looked at by the hour."""
    known = {SILENT.key: SILENT}
    assert next_look(RULE, A_CLASS, known, NOW) is None
    timed = replace(RULE, condition="fact.size > 35 && coverage.state_hours > 9")
    assert next_look(timed, A_CLASS, known, NOW) == NOW + timedelta(hours=1)


def test_fields_and_types_of_every_kind_are_checked():
    """As those of the fact itself are."""
    for condition in (
        "fact.size > 1 && coverage.sate == ''",
        "fact.size > coverage.state",
        "pushes.failed > fact.size",
    ):
        with pytest.raises(RuleRefused):
            compile_rule(replace(RULE, condition=condition))
