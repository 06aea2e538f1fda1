"""Two versions of alerts work on one database during a rollout: what the newer one writes, the older one hands on."""

import json

import pytest
import sqlalchemy as sa
from iocedu.alerts.v1 import alerts_pb2

from chassis.database import Database
from services.alerts import store, usecases
from services.alerts.convert import alert_message, step_message
from services.alerts.domain import Fact, Scalar, Severity
from tests.integration.alerts.scenes import SCHOOL
from tests.integration.alerts.test_pupils import moment
from tests.support.databases import DatabaseFactory

LATER = {
    "transition": 99,
    "time": "2026-11-20T03:00:00+00:00",
    "rule_version": 1,
    "by": "head",
    "note": "",
    "reason": 77,
    "shelved_until": "2026-12-01",
}


@pytest.fixture
async def database(database_factory: DatabaseFactory) -> Database:
    """A fresh database of alerts."""
    return await database_factory("alerts")


async def an_alert(database: Database) -> int:
    """An open alert on which a later version took a step that this one does not know."""
    values: dict[str, Scalar] = {"name": "1A", "grade": "01", "school_year": 2026, "size": 40, "size_limit": 35}
    async with database.transaction() as held:
        fact = Fact("class_size", SCHOOL, "2026/1A2026", 1, values | {"active": True})
        [change] = await usecases.take_facts(held, [fact], moment())
        await held.execute(
            sa.text("UPDATE alert SET history = jsonb_build_array(CAST(:step AS jsonb)), revision = 2"),
            {"step": json.dumps(LATER)},
        )
        await held.execute(
            sa.text("INSERT INTO alert_step VALUES (:id, 1, 99, now(), 'head', '', 77, 1, 0)"),
            {"id": change.alert.alert_id},
        )
    return change.alert.alert_id


async def test_a_step_of_a_later_version_is_carried_whole_through_changes_of_this_one(database):
    """Neither its number nor what it says further is lost when an older replica writes the alert again."""
    alert_id = await an_alert(database)
    async with database.transaction() as held:
        await usecases.comment_alert(
            held, alert_id, lies_below=lambda _: True, by="officer", text="Đã gọi điện.", moment=moment()
        )
    async with database.connection() as reading:
        first, second = await reading.scalar(sa.text("SELECT history FROM alert"))
    assert first == LATER
    assert second["note"] == "Đã gọi điện."


async def test_it_is_shown_by_its_number_in_lists_events_and_steps(database):
    """Callers of the newer contract understand it; those of the older one see a number."""
    alert_id = await an_alert(database)
    async with database.connection() as reading:
        alert = await store.find_alert(reading, alert_id)
        [(number, step)] = await store.list_steps(reading, alert_id, after=0, limit=10)
    assert alert is not None
    shown = alert_message(alert, str)
    assert (shown.history[0].transition, shown.history[0].reason) == (99, 77)
    assert (step_message(step, number).transition, step.by) == (99, "head")


async def test_alerts_that_older_code_wrote_say_nothing_of_grouping_and_are_read(database):
    """Columns of this version are filled for it: such an alert is told as is usual."""
    columns = (
        "unit_id, alert_id, rule, rule_version, subject, severity, state, title_vi, title_en, body_vi, body_en, facts,"
        " audience_roles, create_time, acknowledged_by, note, revision, position"
    )
    values = "100, 7, 'class_oversize', 1, 'x', 2, 1, '', '', '', '', '{}', '{}', now(), '', '', 1, 7"
    async with database.transaction() as held:
        await held.execute(sa.text(f"INSERT INTO alert ({columns}) VALUES ({values})"))
        alert = await store.lock_alert(held, 7)
    assert alert is not None
    assert (alert.group_by, alert.severity) == (alerts_pb2.ALERT_GROUPING_UNSPECIFIED, Severity.WARNING)
