"""School life: facilities, assignments, conduct, health, re-tests, graduation, candidates, reports on quality."""

from alembic import op

revision = "0019_pre"
down_revision = "0018_pre"
branch_labels = None
depends_on = None

RECORDS = {
    "facility": """
        school_year integer NOT NULL, kind text NOT NULL, name text NOT NULL, site_key text NOT NULL,
        condition text NOT NULL, ownership text NOT NULL, quantity integer NOT NULL, area double precision NOT NULL,
        total_area double precision NOT NULL""",
    "staff_assignment": """
        school_year integer NOT NULL, staff_key text NOT NULL, duty text NOT NULL, class_key text NOT NULL,
        subject text NOT NULL, term text NOT NULL, weekly_periods double precision NOT NULL,
        post_share double precision NOT NULL, first_day date, last_day date""",
    "conduct_entry": """
        school_year integer NOT NULL, kind text NOT NULL, pupil_key text NOT NULL, staff_key text NOT NULL,
        form text NOT NULL, issuing_level text NOT NULL, decision_number text NOT NULL, content text NOT NULL,
        day date""",
    "health_check": """
        school_year integer NOT NULL, pupil_key text NOT NULL, nutrition text NOT NULL, eyesight text NOT NULL,
        findings text NOT NULL, height double precision NOT NULL, weight double precision NOT NULL, day date""",
    "retest": """
        school_year integer NOT NULL, pupil_key text NOT NULL, learning_result text NOT NULL,
        conduct_result text NOT NULL, promoted boolean, subject_marks jsonb""",
    "graduation": """
        school_year integer NOT NULL, pupil_key text NOT NULL, classification text NOT NULL,
        independent boolean NOT NULL, exempt boolean NOT NULL, special boolean NOT NULL, graduated boolean""",
    "exam_candidate": """
        school_year integer NOT NULL, full_name text NOT NULL, sex text NOT NULL, ethnic_group text NOT NULL,
        birth_date date""",
    "quality_report": "school_year integer NOT NULL, stage text NOT NULL",
}
# What a course or a profile asks for, beside the year of a school.
SOUGHT = {
    "staff_assignment": ("staff_key", "class_key"),
    "conduct_entry": ("pupil_key", "staff_key"),
    "health_check": ("pupil_key",),
    "retest": ("pupil_key",),
    "graduation": ("pupil_key",),
}


def upgrade() -> None:
    for table, columns in RECORDS.items():
        op.execute(
            f"""
            CREATE TABLE {table} (
                school_id bigint NOT NULL,
                key text COLLATE "C" NOT NULL,
                version bigint NOT NULL,
                change_version bigint NOT NULL,
                source text NOT NULL,
                content_hash bigint NOT NULL,
                deleted boolean NOT NULL,
                update_time timestamptz NOT NULL,
                request_id text,
                {columns.strip()},
                further jsonb,
                PRIMARY KEY (school_id, key)
            )
            """
        )
        op.execute(f"CREATE INDEX {table}_year ON {table} (school_id, school_year)")
    for table, names in SOUGHT.items():
        for name in names:
            op.execute(f"CREATE INDEX {table}_{name} ON {table} (school_id, {name})")
    op.execute(
        """
        INSERT INTO history_retention (collection, kept_days, source) VALUES
            ('facilities', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('assignments', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('conduct-entries', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('health-checks', 1826, 'Quy định của địa phương'),
            ('retests', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('graduations', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('exam-candidates', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8'),
            ('quality-reports', NULL, 'Nghị định 88/2026/NĐ-CP, Điều 8')
        """
    )
