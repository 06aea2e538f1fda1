"""What must be kept by law: the rules as they ship speak of every record, and what they say is done."""

from datetime import date

import pytest

from services.records.convert.rules import load_erasure_rules
from services.records.domain.data_requests import Kind
from services.records.domain.erasing import ATTENDANCE, Said, deed_of
from services.records.domain.objects import BY_COLLECTION, SPECS, ObjectSpec

DAY = date(2026, 11, 2)
PUPILS = BY_COLLECTION["pupils"]


@pytest.mark.parametrize("spec", SPECS, ids=lambda spec: spec.collection)
@pytest.mark.parametrize("level", ["", "01", "02", "03", "04", "05"])
def test_the_rules_speak_of_every_collection_and_level(spec: ObjectSpec, level: str) -> None:
    """Who adds a collection says whose it is and what becomes of it; nothing is left undecided."""
    rules = load_erasure_rules()

    rule = rules.rule_of(spec.collection, level, DAY)

    assert rule is not None
    assert rule.source
    columns = {column.name for column in spec.columns} | {"further"}
    assert columns >= {*rule.dropped, *filter(None, [rule.of])}


@pytest.mark.parametrize(
    ("kind", "level", "erased", "dropped"),
    [
        (Kind.ERASURE, "01", True, ()),
        (Kind.ERASURE, "03", False, ("disability", "policy_group", "further", ATTENDANCE)),
        (Kind.OBJECTION, "01", False, ()),
        (Kind.OBJECTION, "03", False, ()),
    ],
)
def test_what_a_request_does_follows_from_kind_and_level(
    kind: Kind,
    level: str,
    erased: bool,  # noqa: FBT001 (one of the values of a case)
    dropped: tuple[str, ...],
) -> None:
    """An objection erases nothing; an erasure what no law keeps, and of the rest the fields that none keeps."""
    deed = deed_of(load_erasure_rules(), kind, PUPILS, "HS1", Said(2026, level), day=DAY)

    assert deed is not None
    assert (deed.erased, deed.dropped) == (erased, dropped)
    assert deed.source


def test_nothing_is_decided_before_a_rule_holds_or_of_what_is_nobodys() -> None:
    """A class is no person's; a rule counts from its day on."""
    rules = load_erasure_rules()

    assert deed_of(rules, Kind.ERASURE, BY_COLLECTION["classes"], "6A", Said(2026, "03"), day=DAY) is None
    assert deed_of(rules, Kind.ERASURE, PUPILS, "HS1", Said(2026, "03"), day=date(2025, 1, 1)) is None
