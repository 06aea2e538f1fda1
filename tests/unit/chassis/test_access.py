"""Who passes: the access option, the grants, the units a request names; deny by default."""

from datetime import date

import pytest

from chassis.access import decide, rule_of
from chassis.errors import Fault, Kind
from chassis.identity import Caller
from chassis.scopes import ScopeAlias, ScopeEdge, ScopeGrant, ScopeTree, ScopeUnit
from tests.support.toy import toy_pb2

DAY = date(2026, 11, 2)
TREE = ScopeTree(
    [
        ScopeUnit(1, aliases=(ScopeAlias("toy:one"),)),
        ScopeUnit(2, aliases=(ScopeAlias("toy:two"),), edges=(ScopeEdge(1),)),
        ScopeUnit(3, name="Three"),
        ScopeUnit(4, valid_to=DAY, stood_for_by=(2,)),
    ],
    [
        ScopeGrant(1, "an", "keeper", 1),
        ScopeGrant(2, "binh", "cook", 1),
        ScopeGrant(3, "chi", "keeper", 0),
        ScopeGrant(4, "dung", "keeper", 1, valid_to=DAY),
        ScopeGrant(5, "em", "keeper", 2),
    ],
)


def _pass(method, request, *, subject="an", service=None, narrowed=None):
    caller = Caller(subject=subject, service=service)
    decide(rule_of(f"/toy.v1.ToyService/{method}"), caller, request, tree=lambda: TREE, day=DAY, narrowed=narrowed)


def _refusal(method, request, **caller):
    with pytest.raises(Fault) as refused:
        _pass(method, request, **caller)
    return refused.value


def _look(unit=""):
    return toy_pb2.LookRequest(unit=unit)


def _many(*units):
    return toy_pb2.LookAtManyRequest(inners=[toy_pb2.Inner(unit=unit) for unit in units])


@pytest.mark.parametrize("unit", ["toy:one", "1", "toy:two", "2"])
def test_a_role_held_on_the_unit_or_above_suffices(unit):
    """By alias or by id."""
    _pass("Look", _look(unit))
    _pass("LookInside", toy_pb2.LookInsideRequest(inner=toy_pb2.Inner(unit=unit)))


@pytest.mark.parametrize("subject", ["binh", "dung", "nobody"])
def test_another_role_a_revoked_one_or_none_does_not(subject):
    """The fault names the method and the unit."""
    fault = _refusal("Look", _look("toy:two"), subject=subject)
    assert (fault.kind, fault.reason) == (Kind.DENIED, "NO_GRANT")
    assert fault.metadata == {"method": "toy.v1.ToyService/Look", "unit": "toy:two"}


def test_a_refusal_names_the_unit_as_people_know_it():
    """Nobody knows its id, by which pages ask."""
    for subject in ("an", "binh"):
        fault = _refusal("Look", _look("3"), subject=subject)
        assert "“Three”" in fault.vi
        assert fault.metadata["unit"] == "3"


def test_a_stranger_is_told_no_name():
    """Who holds no role at all does not learn what exists."""
    assert "Three" not in _refusal("Look", _look("3"), subject="nobody").vi


def test_a_role_elsewhere_does_not():
    """A unit beside the granted one is foreign."""
    assert _refusal("Look", _look("3")).reason == "NO_GRANT"
    assert _refusal("LookInside", toy_pb2.LookInsideRequest(inner=toy_pb2.Inner(unit="3"))).reason == "NO_GRANT"


def test_each_of_several_units_is_checked():
    """One foreign unit among own ones stops the call."""
    _pass("LookAtMany", _many("1", "toy:two"))
    fault = _refusal("LookAtMany", _many("1", "3", "2"))
    assert (fault.reason, fault.metadata["unit"]) == ("NO_GRANT", "3")


def test_naming_no_unit_where_one_is_due_means_every_unit():
    """Leaving the field out does not open more than naming it."""
    assert _refusal("Look", _look("")).reason == "NO_GRANT"
    assert _refusal("LookAtMany", _many()).reason == "NO_GRANT"
    _pass("Look", _look(""), subject="chi")


def test_an_unknown_unit_is_said_to_be_unknown_only_to_who_holds_a_role():
    """Strangers do not learn what exists."""
    assert _refusal("Look", _look("toy:none")).reason == "UNKNOWN_UNIT"
    assert _refusal("Look", _look("toy:none"), subject="nobody").reason == "NO_GRANT"


def test_who_holds_the_role_on_every_unit_passes_everywhere():
    """Also for a unit the tree does not know yet: the method itself answers."""
    for unit in ("toy:two", "3", "toy:none"):
        _pass("Look", _look(unit), subject="chi")


def test_without_a_unit_field_the_role_may_be_held_anywhere():
    """The method itself limits what it does."""
    _pass("LookAnywhere", _look())
    assert _refusal("LookAnywhere", _look(), subject="binh").metadata == {"method": "toy.v1.ToyService/LookAnywhere"}


def test_a_named_service_passes_by_its_own_token_and_no_other_does():
    """Whoever it works for, and whatever the unit."""
    _pass("Look", _look("3"), subject="nobody", service="friend")
    _pass("LookAsService", _look(), subject="nobody", service="friend")
    assert _refusal("Look", _look("3"), subject="nobody", service="stranger").reason == "NO_GRANT"
    assert _refusal("LookAsService", _look(), subject="chi", service="stranger").reason == "NOT_ALLOWED"


def test_a_method_for_services_is_closed_to_people():
    """Even to who holds a role everywhere."""
    assert _refusal("LookAsService", _look(), subject="chi").reason == "NOT_ALLOWED"


def test_any_subject_passes_where_only_its_own_things_are_at_stake():
    """Without any grant."""
    _pass("LookAtOwn", _look(), subject="nobody")


def test_a_method_without_the_option_cannot_be_called():
    """Deny by default: nobody, no service."""
    assert rule_of("/toy.v1.ToyService/LookAway") is None
    assert rule_of("/toy.v1.NoService/Look") is None
    assert _refusal("LookAway", _look(), subject="chi", service="friend").reason == "NOT_ALLOWED"


def test_refusals_read_like_a_helpful_person():
    """They say what to do next, in both languages."""
    fault = _refusal("Look", _look("3"))
    assert fault.vi == "Bạn chưa được cấp quyền cho việc này tại đơn vị “Three”. Hãy liên hệ người quản trị của đơn vị."
    assert fault.en == "You hold no role for this on the unit “Three”. Ask the unit's administrator for it."


def _tastes(*tastes, taste="", unit="toy:two"):
    return toy_pb2.TastesRequest(unit=unit, taste=taste, tastes=tastes)


SWEET, SOUR = 1, 2


def test_a_grant_that_is_narrowed_shows_its_kinds_alone():
    """Whether the request names them by word or by value, or the method always shows them."""
    narrowed = {1: frozenset({"sweet"})}
    _pass("LookAtTaste", _tastes(taste="sweet"), narrowed=narrowed)
    _pass("LookAtTastes", _tastes(SWEET), narrowed=narrowed)
    _pass("LookAtSweets", _tastes(), narrowed=narrowed)
    for method, request in (
        ("LookAtTaste", _tastes(taste="sour")),
        ("LookAtTastes", _tastes(SWEET, SOUR)),
        ("LookAtTastes", _tastes()),
        ("LookAtTastes", _tastes(0)),
    ):
        fault = _refusal(method, request, narrowed=narrowed)
        assert (fault.reason, fault.metadata["kinds"]) == ("NO_GRANT", "sour")
    assert _refusal("LookAtSweets", _tastes(), narrowed={1: frozenset({"sour"})}).metadata["kinds"] == "sweet"


def test_a_refusal_of_a_kind_says_how_to_ask_for_the_others():
    """By the field that names them, where there is one."""
    narrowed = {1: frozenset({"sour"})}
    assert "`tastes`" in _refusal("LookAtTastes", _tastes(), narrowed=narrowed).vi
    assert "`" not in _refusal("LookAtSweets", _tastes(), narrowed=narrowed).vi


def test_a_grant_of_a_narrowed_subject_is_for_nothing_until_its_kinds_are_told():
    """One that arrives before what narrows it shows nothing; one that is told to be for all shows all."""
    assert _refusal("LookAtTastes", _tastes(), narrowed={}).metadata["kinds"] == "sour, sweet"
    assert _refusal("LookAtTastes", _tastes(), narrowed={2: None}).reason == "NO_GRANT"
    _pass("LookAtTastes", _tastes(), narrowed={1: None})
    _pass("LookAtTastes", _tastes(), subject="chi", narrowed={0: None})
    assert _refusal("LookAtTastes", _tastes(), subject="chi", narrowed={}).reason == "NO_GRANT"


@pytest.mark.parametrize("holder", [2, 1])
def test_a_narrowed_grant_reaches_what_has_ended_by_what_stands_for_it(holder):
    """As any other grant does: on the unit that stands for it, or above that one."""
    subject = {1: "an", 2: "em"}[holder]
    _pass("LookAtTastes", _tastes(SWEET, unit="4"), subject=subject, narrowed={holder: frozenset({"sweet"})})
    fault = _refusal("LookAtTastes", _tastes(unit="4"), subject=subject, narrowed={holder: frozenset({"sweet"})})
    assert fault.metadata["kinds"] == "sour"


def test_narrowing_touches_neither_methods_that_show_no_kinds_nor_who_is_not_narrowed():
    """What says nothing of kinds passes as before, and so does everybody else."""
    _pass("Look", _look("toy:two"), narrowed={})
    _pass("LookAtTastes", _tastes())
