"""Classes in alerts are called as people call them."""

import sqlalchemy as sa

from services.alerts import usecases
from services.alerts.convert import class_facts
from tests.integration.alerts import scenes
from tests.integration.alerts.scenes import a_class, figures
from tests.integration.alerts.test_pupils import database, feed, moment, pupil, register, result, school_days

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


async def test_a_class_that_is_told_after_its_pupils_gives_them_its_name(database, feed):
    """Sizes are often told last: what stands calls the class by its name from then on, and so do open alerts."""
    keys = {f"HS{number}": "6B.2026" for number in range(16)} | {f"HT{number}": "6C.2026" for number in range(20)}
    await feed.take(*(pupil(key, class_key=name) for key, name in keys.items()))
    for day in school_days(3):
        await feed.take(register(day, {"HS1": "K"}, class_key="6B.2026"))
    await feed.take(*(result(key, {"TOAN": 3.0 if name == "6B.2026" else 8.0}) for key, name in keys.items()))
    sizes = figures(a_class(16, key="6B.2026", limit=45))
    sizes.classes[0].name = "6B"
    event = scenes.event("reporting", "figures-changed", sizes)
    async with database.transaction() as held:
        await usecases.follow_figures(held, list(class_facts(event)), [], moment(), baseline=False)
        _, changes = await usecases.look_at_due_facts(held, moment(), limit=1000)
        named = await held.execute(
            sa.text("SELECT kind, count(*) FROM fact WHERE \"values\" ->> 'class_name' = '6B' GROUP BY 1 ORDER BY 1")
        )
    assert [tuple(row) for row in named] == [("absence_day", 1), ("class_results", 1), ("pupil", 16)]
    titles = {one.alert.title_vi for one in changes}
    assert titles >= {
        "Học sinh HS1 (lớp 6B) nghỉ không phép 3 ngày liên tiếp",
        "Lớp 6B có 16/16 học sinh chưa đạt ít nhất một môn (GK1)",
    }
