"""News and audiences without any server."""

from iocedu.alerts.v1 import alerts_pb2

from services.notify.convert import news, states
from services.notify.domain import State, newest
from services.notify.usecases import audience_in
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import NOW, SCHOOL, change


def _news(*changes: alerts_pb2.AlertChange):
    return list(news(scenes.event("alerts", "alerts-changed", alerts_pb2.AlertsChanged(changes=changes))))


def test_only_a_raising_begins_a_matter():
    """Taking and resolving change one, another version of the rule widens it; what a newer alerts adds does neither."""
    unknown = change("RAISED")
    unknown.transition = 99  # type: ignore[assignment]  # what a newer version may send
    carried = change("CARRIED_OVER")
    told = _news(change("RAISED"), change("ACKNOWLEDGED", taken_by="officer"), change("RESOLVED"), unknown, carried)
    assert [one.begins for one in told] == [True, False, False, False, False]
    assert [one.widens for one in told] == [False, False, False, False, True]
    assert [one.matter.resolved for one in told] == [False, False, True, False, False]
    assert told[1].matter.taken_by == "officer"


def test_of_each_matter_the_last_change_is_kept_in_the_order_of_locks():
    """Whatever order they came in."""
    told = _news(
        change("RESOLVED", alert_id=9, position=30),
        change("RAISED", alert_id=9, position=9),
        change("RAISED", alert_id=2),
    )
    assert [(matter.alert_id, matter.version) for matter in newest(told)] == [(2, 7), (9, 30)]


def test_a_filter_without_states_wants_all():
    """And one with states wants these."""
    assert states([]) == frozenset(State)
    assert states([2, 77]) == {State.READ}


def test_who_holds_a_role_on_every_unit_is_told_so():
    """A grant on unit 0 has no unit's name to give."""
    everywhere = scenes.grants()
    everywhere[0].unit_id = 0
    audience = audience_in(scenes.tree(grants=everywhere), NOW.date())
    assert [recipient.because for recipient in audience(("director",), SCHOOL)] == ["Lãnh đạo ngành tại mọi đơn vị"]
