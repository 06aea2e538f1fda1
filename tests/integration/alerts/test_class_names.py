"""Classes in alerts are called as people call them."""

from services.alerts import usecases
from services.alerts.convert import class_facts
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import a_class, figures
from tests.integration.alerts.test_pupils import database, feed, moment, pupil, register, school_days

__all__ = ["database", "feed"]


async def test_alerts_call_a_class_by_its_name_and_by_its_key_where_none_was_told(database, feed):
    """A source's key such as 6B.2026 is nothing people know a class by."""
    sizes = figures(a_class(30, key="6B.2026", limit=45))
    sizes.classes[0].name = "6B Chu Văn An"
    async with database.transaction() as held:
        await usecases.take_facts(
            held, list(class_facts(scenes.event("reporting", "figures-changed", sizes))), moment()
        )
    keys = {"HS1": "6B.2026", "HS2": "6C.2026"}
    await feed.take(*(pupil(key, class_key=name) for key, name in keys.items()))
    changes = [
        one
        for day in school_days(3)
        for key, name in keys.items()
        for one in await feed.take(register(day, {key: "K"}, class_key=name))
    ]
    titles = {one.alert.title_vi for one in changes if one.alert.rule == "absence_unexplained"}
    assert titles == {
        "Học sinh HS1 (lớp 6B Chu Văn An) nghỉ không phép 3 ngày liên tiếp",
        "Học sinh HS2 (lớp 6C.2026) nghỉ không phép 3 ngày liên tiếp",
    }
