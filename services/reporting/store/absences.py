# ruff: noqa: S608 (statements are put together from constants of these modules; nothing comes from outside)
"""Who was absent, by register, and how often each pupil was: follows the registers of a merge.

A register that comes anew replaces its absences; the counts of every pupil who was ever absent from its class, before
or now, are taken anew, since the earliest register of a day decides which session counts. Refuses nothing.
"""

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection


async def note_classes(connection: AsyncConnection) -> None:
    """Remember the classes of the registers that come, also those they were of before; call it before merging."""
    await connection.execute(_NOTE_CLASSES)


async def follow_registers(connection: AsyncConnection) -> None:
    """Replace the absences of the registers that were merged, and count those of their classes' pupils anew."""
    for statement in (_NOTE_PUPILS, _FORGET, _REMEMBER, _NOTE_PUPILS, _FORGET_COUNTS, _COUNT):
        await connection.execute(statement)


_NOTE_CLASSES = sa.text("""
INSERT INTO touched_class (school_id, class_key)
SELECT school_id, class_key FROM incoming WHERE measure = 'registers'
UNION
SELECT stored.school_id, stored.class_key FROM incoming JOIN fact AS stored USING (school_id, measure, key)
WHERE measure = 'registers'
""")
_NOTE_PUPILS = sa.text("""
INSERT INTO touched_pupil (school_id, pupil_key)
SELECT DISTINCT school_id, pupil_key FROM touched_class JOIN absence USING (school_id, class_key)
""")
# A change that lost to a newer one is not what is stored.
_STORED = (
    "stored.school_id = incoming.school_id AND stored.measure = incoming.measure AND stored.key = incoming.key"
    " AND stored.position = incoming.position AND incoming.measure = 'registers'"
)
_FORGET = sa.text(f"""
DELETE FROM absence USING incoming, fact AS stored
WHERE {_STORED} AND absence.school_id = stored.school_id AND absence.register_key = stored.key
""")
_REMEMBER = sa.text(f"""
INSERT INTO absence (school_id, register_key, pupil_key, kind, school_year, class_key, day, session)
SELECT stored.school_id, stored.key, given.pupil_key, given.kind, stored.school_year, stored.class_key, stored.day,
    stored.session
FROM incoming JOIN fact AS stored ON {_STORED}
JOIN detail ON detail.school_id = stored.school_id AND detail.measure = stored.measure AND detail.key = stored.key
    AND detail.position = stored.position,
    unnest(detail.pupils, detail.kinds) AS given(pupil_key, kind)
WHERE stored.counted
ON CONFLICT DO NOTHING
""")
COUNTS = """
SELECT absence.school_id, absence.school_year, absence.pupil_key, count(*) AS session_count,
    count(DISTINCT absence.day) FILTER (WHERE absence.session = (
        SELECT min(register.session) FROM fact AS register
        WHERE register.school_id = absence.school_id AND register.measure = 'registers' AND register.counted
            AND register.class_key = absence.class_key AND register.day = absence.day
    )) AS counted_day_count
FROM absence WHERE {of} GROUP BY absence.school_id, absence.school_year, absence.pupil_key
"""
_TOUCHED = "(absence.school_id, absence.pupil_key) IN (SELECT school_id, pupil_key FROM touched_pupil)"
_FORGET_COUNTS = sa.text("""
DELETE FROM pupil_absence USING (SELECT DISTINCT school_id, pupil_key FROM touched_pupil) AS touched
WHERE pupil_absence.school_id = touched.school_id AND pupil_absence.pupil_key = touched.pupil_key
""")
_COUNT = sa.text(
    "INSERT INTO pupil_absence (school_id, school_year, pupil_key, session_count, counted_day_count) "
    + COUNTS.format(of=_TOUCHED)
)
