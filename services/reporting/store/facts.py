# ruff: noqa: S608 (statements are put together from constants of these modules; nothing comes from outside)
"""Merges facts under a guard by feed position, and leaves in `delta` by how much each figure differs.

Registers and results lie where their class and pupil do: level, grade and sex are these facts', whichever of the two
comes first, and follow them when they move. Refuses nothing; `projection` holds the schools' locks.
"""

import sqlalchemy as sa

from chassis.years import USUAL_TURN
from services.reporting.domain.figures import BESIDE

# The columns of a `FactRow` and of a `DetailRow`, in their order.
FACT_COLUMNS = (
    "school_id", "measure", "key", "position", "school_year", "level", "grade", "sex", "ethnic_group", "class_key",
    "name", "status",
)  # fmt: skip
DETAIL_COLUMNS = (
    "school_id", "measure", "key", "position", "tallies", "amounts", "pupil_key", "day", "session", "pupils", "kinds",
)  # fmt: skip

WORKING_TABLES = """
CREATE TEMPORARY TABLE IF NOT EXISTS incoming (school_id bigint, measure text, key text, position bigint,
    school_year integer, level text, grade text, sex text, ethnic_group text, class_key text, name text, status text)
    ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS detail (school_id bigint, measure text, key text, position bigint, tallies text[],
    amounts bigint[], pupil_key text, day date, session smallint, pupils text[], kinds text[])
    ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS delta (school_id bigint, school_year integer, measure text, level text,
    grade text, sex text, ethnic_group text, class_key text, item text, day date, change bigint, beside integer)
    ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS touched_class (school_id bigint, class_key text) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS touched_pupil (school_id bigint, pupil_key text) ON COMMIT DELETE ROWS;
DELETE FROM incoming;
DELETE FROM detail;
DELETE FROM delta;
DELETE FROM touched_class;
DELETE FROM touched_pupil;
"""

ATTACHED = ("registers", "results")  # Measures that lie where another fact does.

# A rule or norm applies to a school year when it is in force on the year's first day.
_FIRST_DAY = f"make_date(greatest({{row}}.school_year, 1), {USUAL_TURN[0]}, {USUAL_TURN[1]})"
_IN_FORCE = f"{{rule}}.valid_from <= {_FIRST_DAY} AND ({{rule}}.valid_to IS NULL OR {{rule}}.valid_to > {_FIRST_DAY})"
COUNTED = (
    f"rule.measure = given.measure AND rule.status = given.status AND {_IN_FORCE.format(rule='rule', row='given')}"
)
SEATED = (
    f"given.measure = 'pupils' AND seat.measure = 'pupils' AND given.status = '{BESIDE}' || seat.status"
    f" AND {_IN_FORCE.format(rule='seat', row='given')}"
)
SEATS = "size + coalesce(beside, 0)"  # How many sit in a class; of them `size` count at the school.
DROPPED = (
    "given.measure = 'pupils' AND lost.measure = 'dropouts' AND lost.status = given.status"
    f" AND {_IN_FORCE.format(rule='lost', row='given')}"
)
LIMITED = (
    "norm.measure = 'class_size' AND norm.level = given.level AND norm.grade = given.grade"
    f" AND {_IN_FORCE.format(rule='norm', row='given')}"
)
# What a register or a result lies with: its class, or its pupil.
PARENT = (
    "parent.school_id = {child}.school_id"
    " AND parent.measure = CASE {child}.measure WHEN 'results' THEN 'pupils' ELSE 'classes' END"
    " AND parent.key = CASE {child}.measure WHEN 'results' THEN {pupil} ELSE {child}.class_key END"
    " AND parent.school_year = {child}.school_year AND parent.school_year > 0"
)

# One row per number a fact stands for: itself, its being a dropout, each of its tallies.
_DELTAS = """
INSERT INTO delta (school_id, school_year, measure, level, grade, sex, ethnic_group, class_key, item, day, change,
    beside)
SELECT school_id, old_year, measure, old_level, old_grade, old_sex, old_group, old_class, NULL, old_day, -old_counted,
    -old_beside
FROM merged WHERE moved AND old_year > 0
UNION ALL
SELECT school_id, new_year, measure, new_level, new_grade, new_sex, new_group, new_class, NULL, new_day, new_counted,
    new_beside
FROM merged WHERE moved AND new_year > 0
UNION ALL
SELECT school_id, old_year, 'dropouts', old_level, old_grade, old_sex, '', '', '||', NULL, -1, 0
FROM merged WHERE moved AND old_year > 0 AND old_dropped
UNION ALL
SELECT school_id, new_year, 'dropouts', new_level, new_grade, new_sex, '', '', '||', NULL, 1, 0
FROM merged WHERE moved AND new_year > 0 AND new_dropped
UNION ALL
SELECT school_id, old_year, split_part(tally, '|', 1), old_level, old_grade, old_sex, '', '',
    substr(tally, strpos(tally, '|') + 1), old_day, -amount, 0
FROM merged, unnest(old_tallies, old_amounts) AS given(tally, amount) WHERE moved AND old_year > 0 AND old_counted = 1
UNION ALL
SELECT school_id, new_year, split_part(tally, '|', 1), new_level, new_grade, new_sex, '', '',
    substr(tally, strpos(tally, '|') + 1), new_day, amount, 0
FROM merged, unnest(new_tallies, new_amounts) AS given(tally, amount) WHERE moved AND new_year > 0 AND new_counted = 1
"""
_SIDES = ", ".join(
    f"{side}.school_year AS {side}_year, {side}.level AS {side}_level, {side}.grade AS {side}_grade,"
    f" {side}.sex AS {side}_sex, {side}.ethnic_group AS {side}_group, {side}.class_key AS {side}_class,"
    f" {side}.counted::integer AS {side}_counted, coalesce({side}.beside, false)::integer AS {side}_beside,"
    f" {side}.dropped AS {side}_dropped, {side}.day AS {side}_day,"
    f" {side}.tallies AS {side}_tallies, {side}.amounts AS {side}_amounts"
    for side in ("old", "new")
)
_CONTENT = ", ".join(
    f"{{side}}.{name}"
    for name in (
        "school_year", "level", "grade", "sex", "ethnic_group", "class_key", "counted", "name", "dropped", "day",
        "tallies", "amounts", "beside",
    )
)  # fmt: skip
_MOVED = f"({_CONTENT.format(side='old')}) IS DISTINCT FROM ({_CONTENT.format(side='new')}) AS moved"
_MERGED = f"""
, merged AS (
    INSERT INTO fact AS stored (school_id, measure, key, position, school_year, level, grade, sex, ethnic_group,
        class_key, name, status, counted, beside, dropped, tallies, amounts, pupil_key, day, session)
    SELECT school_id, measure, key, position, school_year, level, grade, sex, ethnic_group, class_key, name, status,
        counted, beside, dropped, tallies, amounts, coalesce(pupil_key, ''), day, session
    FROM newest
    ON CONFLICT (school_id, measure, key) DO UPDATE SET position = excluded.position,
        school_year = excluded.school_year, level = excluded.level, grade = excluded.grade, sex = excluded.sex,
        ethnic_group = excluded.ethnic_group, class_key = excluded.class_key, name = excluded.name,
        status = excluded.status, counted = excluded.counted, beside = excluded.beside,
        dropped = excluded.dropped, tallies = excluded.tallies, amounts = excluded.amounts,
        pupil_key = excluded.pupil_key, day = excluded.day, session = excluded.session
    WHERE stored.position < excluded.position + :again
    RETURNING new.school_id, new.measure, {_SIDES}, {_MOVED}
)
"""
_OF_DETAIL = (
    "detail.school_id = given.school_id AND detail.measure = given.measure AND detail.key = given.key"
    " AND detail.position = given.position"
)
_ARE_ATTACHED = ", ".join(f"'{measure}'" for measure in ATTACHED)

# One difference per fact before and after; a fact that moved nowhere leaves none. School year 0 is that of a record
# which is gone, and which may never have been seen.
MERGE_FACTS = sa.text(f"""
WITH newest AS (
    SELECT DISTINCT ON (given.school_id, given.measure, given.key) given.*, rule.status IS NOT NULL AS counted,
        seat.status IS NOT NULL AS beside, lost.status IS NOT NULL AS dropped, detail.tallies, detail.amounts,
        detail.pupil_key, detail.day, detail.session
    FROM incoming AS given LEFT JOIN counting_rule AS rule ON {COUNTED} LEFT JOIN counting_rule AS lost ON {DROPPED}
    LEFT JOIN counting_rule AS seat ON {SEATED} LEFT JOIN detail ON {_OF_DETAIL}
    WHERE given.measure NOT IN ({_ARE_ATTACHED})
    ORDER BY given.school_id, given.measure, given.key, given.position DESC
) {_MERGED} {_DELTAS}
""")

MERGE_ATTACHED = sa.text(f"""
WITH newest AS (
    SELECT DISTINCT ON (given.school_id, given.measure, given.key) given.school_id, given.measure, given.key,
        given.position, given.school_year, coalesce(parent.level, '') AS level, coalesce(parent.grade, '') AS grade,
        coalesce(parent.sex, '') AS sex, '' AS ethnic_group, given.class_key, given.name, given.status,
        rule.status IS NOT NULL AND (given.measure = 'registers' OR coalesce(parent.counted, false)) AS counted,
        false AS beside, false AS dropped, detail.tallies, detail.amounts, detail.pupil_key, detail.day, detail.session
    FROM incoming AS given LEFT JOIN counting_rule AS rule ON {COUNTED} LEFT JOIN detail ON {_OF_DETAIL}
    LEFT JOIN fact AS parent ON {PARENT.format(child="given", pupil="detail.pupil_key")}
    WHERE given.measure IN ({_ARE_ATTACHED})
    ORDER BY given.school_id, given.measure, given.key, given.position DESC
) {_MERGED} {_DELTAS}
""")

# Whether any of the schools has what lies with a class or a pupil; most merges of pupils end here.
HAS_ATTACHED = sa.text(f"""
SELECT EXISTS (
    SELECT FROM fact WHERE school_id IN (SELECT DISTINCT school_id FROM incoming) AND measure IN ({_ARE_ATTACHED})
)
""")
_FOLLOWING = """
    SELECT DISTINCT child.school_id, child.measure, child.key FROM incoming JOIN fact AS child
    ON child.school_id = incoming.school_id AND child.measure = 'results' AND child.pupil_key = incoming.key
    WHERE incoming.measure = 'pupils'
    UNION
    SELECT DISTINCT child.school_id, child.measure, child.key FROM incoming JOIN fact AS child
    ON child.school_id = incoming.school_id AND child.measure = 'registers' AND child.class_key = incoming.key
    WHERE incoming.measure = 'classes'
"""
_PLACE = f"""
    SELECT child.school_id, child.measure, child.key, coalesce(parent.level, '') AS level,
        coalesce(parent.grade, '') AS grade, coalesce(parent.sex, '') AS sex,
        rule.status IS NOT NULL AND (child.measure = 'registers' OR coalesce(parent.counted, false)) AS counted
    FROM {{children}} JOIN fact AS child USING (school_id, measure, key)
    LEFT JOIN fact AS parent ON {PARENT.format(child="child", pupil="child.pupil_key")}
    LEFT JOIN counting_rule AS rule ON {COUNTED.replace("given.", "child.")}
"""
_DIFFERS = (
    "(stored.level, stored.grade, stored.sex, stored.counted) IS DISTINCT FROM"
    " (place.level, place.grade, place.sex, place.counted)"
)
FOLLOW_PARENTS = sa.text(f"""
WITH place AS ({_PLACE.format(children=f"({_FOLLOWING}) AS children")}), merged AS (
    UPDATE fact AS stored
    SET level = place.level, grade = place.grade, sex = place.sex, counted = place.counted
    FROM place
    WHERE stored.school_id = place.school_id AND stored.measure = place.measure AND stored.key = place.key
        AND {_DIFFERS}
    RETURNING new.school_id, new.measure, {_SIDES}, {_MOVED}
) {_DELTAS}
""")

# The same for a recount: of whole schools, and without differences.
PLACED = _PLACE.format(
    children=f"(SELECT school_id, measure, key FROM fact WHERE measure IN ({_ARE_ATTACHED}) AND {{of_schools}})"
    " AS children"
)
PLACE_DIFFERS = _DIFFERS
