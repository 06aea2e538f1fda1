"""Conditions: what is compiled, what is refused and why, and that one refusal does not stop the other rules."""

import re
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from services.alerts.domain import CLASS_SIZE, PUSHES, Rule, Severity
from services.alerts.usecases.refusals import Wrong, invalid_rule
from services.alerts.usecases.rulebook import RuleRefused, compile_rule, refusals_of, rulebook

OVERSIZE = Rule(
    code="class_oversize",
    version=1,
    fact_kind=CLASS_SIZE,
    condition="fact.size > fact.size_limit && fact.size_limit > 0 && fact.active",
    severity=Severity.WARNING,
    title_vi="Lớp {name}",
    title_en="Class {name}",
    body_vi="{unit}",
    body_en="{unit}",
    audience_roles=("officer",),
)
DELAYED = "fact.waiting > 0 && fact.waiting_hours >= 72"
CLASS: dict[str, str | int | bool] = {
    "name": "1A",
    "grade": "01",
    "school_year": 2026,
    "size": 36,
    "size_limit": 35,
    "limit_source": "",
    "active": True,
}


@pytest.mark.parametrize(
    ("changed", "holds"),
    [({}, True), ({"size": 35}, False), ({"size_limit": 0}, False), ({"active": False}, False)],
)
def test_a_class_is_oversize_above_a_known_limit_while_it_exists(changed, holds):
    """At the limit it is not; without a limit, or once it is gone, it cannot be."""
    assert compile_rule(OVERSIZE).holds(CLASS | changed) is holds


@pytest.mark.parametrize(
    ("hours", "waiting", "holds"), [(71, 1, False), (72, 1, True), (500, 0, False), (500, 1, True)]
)
def test_a_condition_over_a_clock_holds_from_its_hour_on(hours, waiting, holds):
    """Exactly from the 72nd hour on, and only where something waits."""
    rule = replace(OVERSIZE, fact_kind=PUSHES, condition=DELAYED, title_vi="", title_en="")
    values = {"waiting": waiting, "waiting_hours": hours}
    assert compile_rule(rule).holds(values) is holds


@pytest.mark.parametrize(
    ("condition", "why"),
    [
        ("fact.size >", "not CEL"),
        ("fact.sise > 35", "no such field: sise"),
        ("false && fact.sise > 35", "no such field: sise"),
        ("has(fact.sise)", "no such field: sise"),
        ("fact.name > 35", "fails on"),
        ("fact.active || fact.name > 35", "fails on"),
        ("fact.size / fact.size_limit > 1", "fails on"),
        ("fact['sise'] > 35", "fails on"),
        ("fact.size", "not yes or no"),
        ("pupil.size > 35", "nothing else"),
        ("true", "nothing else"),
        ("__import__('os').system('true') == fact.size", "fails on|nothing else"),
    ],
)
def test_a_condition_that_could_fail_is_refused_with_the_reason(condition, why):
    """Unknown fields, mixed types, division by zero and anything but yes or no, also behind a short circuit."""
    with pytest.raises(RuleRefused, match=why):
        compile_rule(replace(OVERSIZE, condition=condition))


@pytest.mark.parametrize(
    ("changed", "field", "says"),
    [
        ({"condition": "fact.name > 35"}, "condition", "các kiểu không đi cùng nhau (name: chữ)"),
        ({"condition": "fact.size / fact.size_limit > 1"}, "condition", "như chia cho 0"),
        ({"condition": "fact.size >"}, "condition", "không đúng cú pháp CEL, lỗi ở ký tự thứ"),
        ({"condition": "most(fact.size) > 1"}, "condition", "không có hàm most"),
        ({"condition": "fact['sise'] > 35"}, "condition", "CEL không tính được biểu thức này"),
        ({"condition": "school.size > 35"}, "condition", "chỉ được nói về `fact`, không nói về `school`."),
        ({"condition": "true"}, "condition", "phải và chỉ được nói về `fact`."),
        ({"condition": "fact.size"}, "condition", "cho ra số nguyên, không phải đúng hay sai"),
        ({"title_vi": "Lớp {ten}"}, "title_vi", "tiêu đề tiếng Việt (title_vi) có chỗ điền"),
        ({"body_en": "Class {ten}"}, "body_en", "nội dung tiếng Anh (body_en) có chỗ điền"),
    ],
)
def test_what_is_wrong_is_said_in_one_language_and_of_which_text(changed, field, says):
    """Nothing of the English of CEL stands in a Vietnamese sentence, which ends once."""
    with pytest.raises(RuleRefused) as refused:
        compile_rule(replace(OVERSIZE, **changed))
    told = invalid_rule([Wrong(refused.value.field, refused.value.vi, str(refused.value))])
    assert refused.value.field == field
    assert says in told.vi
    assert not re.search("operation|expression|error", told.vi)
    assert not re.search(r"[.][.]|\n", told.vi + told.en)


@pytest.mark.parametrize(
    ("condition", "says"),
    [
        (
            "fact.grade == 7",
            "fact.grade là chữ, 7 là số, nên không bao giờ bằng nhau; hãy viết chữ trong nháy, như '07'",
        ),
        ("fact.grade in [7, 8]", "fact.grade là chữ, 7 là số"),
        ("fact.grade in {7: true}", "fact.grade là chữ, 7 là số"),
        ("fact.grade != 7", "fact.grade là chữ, 7 là số"),
        ("7 == fact.grade", "fact.grade là chữ, 7 là số"),
        ("fact['grade'] == 7", "fact['grade'] là chữ, 7 là số"),
        ("(fact.grade) == (7)", "fact.grade là chữ, 7 là số"),
        ("fact.active && fact.grade == 7 && fact.size > 45", "fact.grade là chữ, 7 là số"),
        ("fact.size > 1 ? fact.active : fact.grade in ['07', 8]", "fact.grade là chữ, 8 là số"),
        ("fact.grade == '7'", "fact.grade (Khối, mã hai chữ số) không bao giờ là '7'; hãy viết như '07'"),
        ("fact.size == 'abc'", "fact.size là số, 'abc' là chữ, nên không bao giờ bằng nhau; hãy viết số không có nháy"),
        ("fact.name == 3", "fact.name là chữ, 3 là số"),
        ("fact.name == null", "fact.name là chữ, null là giá trị trống"),
        ("fact.name == fact.size", "hãy so sánh những gì cùng kiểu"),
        ("fact.active == 'true'", "hãy viết true hoặc false, không có nháy"),
        ("size(fact.name) == '3'", "size(fact.name) là số, '3' là chữ"),
        ("coverage.state == 'silen'", "không bao giờ là 'silen'; hãy viết như 'silent'"),
        ("coverage.known == 1", "coverage.known là đúng/sai, 1 là số"),
    ],
)
def test_a_comparison_that_no_fact_makes_true_is_refused_with_how_to_write_it(condition, says):
    """CEL answers no without a fault, and a rule that never fires looks as if all were well."""
    rule = replace(OVERSIZE, with_kinds=("coverage",))
    for field in ("condition", "clear_condition"):
        [refusal] = refusals_of(replace(rule, **{field: condition}))
        assert refusal.field == field
        assert says in refusal.vi


def test_a_rule_in_force_that_compares_in_vain_goes_on_and_is_told_to_operators():
    """An older version let it in; what else it says still warns."""
    rule = replace(OVERSIZE, condition="fact.size > 35 || fact.grade == 7")
    with capture_logs() as logs:
        [(_, condition)] = rulebook([rule]).of(CLASS_SIZE)
    assert [(one["action"], one["rule"], one["version"]) for one in logs] == [("rule.vain", "class_oversize", 1)]
    assert condition.holds(CLASS) is True


@pytest.mark.parametrize(
    "condition",
    [
        "fact.grade in ['07', \"08\"] && fact.grade != ''",
        "fact.size == 45.0 || fact.size in [45, 46u, 0x2F, 1e2]",
        "fact.active == true && !fact.active == false && fact.active == (fact.size > 3)",
        "fact.name.size() == 3 && fact.name.startsWith('7') == true && string(fact.size) == fact.name",
        "fact.name == '\\'' || fact.name == r'\\d' || fact.name == '''7''' || '0' + fact.name == '007'",
        "-fact.size * 2 + 1 == -3 // fact.name == 3",
        "fact.active ? fact.size in [] : fact.size % 2 == 0",
        "(" * 80 + "fact.active" + ")" * 80 + " && " + "!" * 1000 + "fact.active",
    ],
)
def test_what_may_be_equal_is_compared(condition):
    """Numbers of either type, texts however quoted, what a function gives, and what only looks like a comparison."""
    assert compile_rule(replace(OVERSIZE, condition=condition))


@pytest.mark.parametrize(
    ("condition", "fails_on"),
    [
        ("100 / (fact.size_limit - fact.size + 7) > 3", 42),
        ("fact.size == 42 ? 1 : true", 42),
        ("fact.size * 9000000000000 > 0", 2_000_000),
    ],
)
def test_a_condition_that_passes_and_fails_on_a_fact_says_neither_yes_nor_no(condition, fails_on):
    """Told once for its version, however many facts it fails on; it still judges the others."""
    with capture_logs() as logs:
        compiled = compile_rule(replace(OVERSIZE, condition=condition))
        assert [compiled.holds(CLASS | {"size": fails_on}) for _ in range(3)] == [None, None, None]
        assert compiled.holds(CLASS | {"size": 41}) is True
    assert [(one["action"], one["rule"], one["version"]) for one in logs] == [("rule.failed", "class_oversize", 1)]


def test_what_a_guard_excludes_is_no_fault():
    """A division behind its guard is fine, a name inside a text is no field."""
    assert compile_rule(replace(OVERSIZE, condition="fact.size_limit > 0 && fact.size / fact.size_limit > 1"))
    assert not compile_rule(replace(OVERSIZE, condition='fact.name == "fact.sise"')).holds(CLASS)


def test_a_text_that_no_fact_can_fill_and_facts_nobody_sends_are_refused():
    """The defect is found when the rule is loaded, not when somebody reads the alert."""
    with pytest.raises(RuleRefused, match="waiting_hours"):
        compile_rule(replace(OVERSIZE, body_en="Waits for {waiting_hours} hours"))
    with pytest.raises(RuleRefused, match="class_size, class_size_sum, coverage"):
        compile_rule(replace(OVERSIZE, fact_kind="weather"))


def test_a_refused_rule_does_not_stop_the_others():
    """It is left out; what is right still warns."""
    book = rulebook([replace(OVERSIZE, code="broken", condition="fact.sise > 1"), OVERSIZE])
    assert [rule.code for rule, _ in book.of(CLASS_SIZE)] == ["class_oversize"]
    assert book.of(PUSHES) == ()


@pytest.mark.parametrize(
    ("kind", "other", "says"),
    [
        (CLASS_SIZE, "coverage_sum", "class_size + coverage, or the units above them by class_size_sum + coverage_sum"),
        ("coverage_sum", "pupil", "by coverage + pupil"),
    ],
)
def test_a_school_beside_a_sum_is_refused_with_what_to_write_instead(kind, other, says):
    """Why they do not go together, and which kinds do."""
    rule = replace(OVERSIZE, fact_kind=kind, with_kinds=(other,))
    [refusal] = refusals_of(rule)
    assert refusal.field == "with_kinds"
    assert str(refusal).endswith(says)


def test_everything_that_is_wrong_with_a_rule_is_said_at_once():
    """Texts and both conditions, each by its field."""
    rule = replace(OVERSIZE, condition="fact.sise > 3", clear_condition="fact.size <", title_vi="{ten}", body_en="{a}")
    assert [one.field for one in refusals_of(rule)] == ["title_vi", "body_en", "condition", "clear_condition"]
