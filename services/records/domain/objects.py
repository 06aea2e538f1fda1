"""The types of record as data: which columns each has and how each is kept.

Everything that differs between a pupil and a register stands in this table; storing, reading, masking and searching
are written once over it. One more type is one more entry and one migration.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType
from typing import Final


class Kind(Enum):
    """How a column is kept."""

    TEXT = "text"
    SAID = "text or not said"
    INTEGER = "integer"
    FLAG = "boolean"
    DECIMAL = "double precision"
    CHOICE = "boolean or not known"
    DATE = "date or not known"
    TEXTS = "list of texts"
    ITEMS = "list of nested records"


# What every stored record begins with, and where in a row it stands.
HEAD: Final = (
    *("school_id", "key", "version", "change_version", "source", "content_hash", "deleted", "update_time"),
    "request_id",
)
SCHOOL_ID, KEY, VERSION, CHANGE_VERSION, SOURCE, CONTENT_HASH, DELETED, UPDATE_TIME, REQUEST_ID = range(len(HEAD))


@dataclass(frozen=True, slots=True)
class Column:
    """A field of the record with the same name in interface and table."""

    name: str
    kind: Kind = Kind.TEXT


@dataclass(frozen=True, slots=True, eq=False)
class ObjectSpec:
    """One type of record. There are few; they are looked up by identity, for each row."""

    number: int  # value of the interface's ObjectType
    collection: str  # name of the collection in the interface
    field: str  # member of Row.record, and name of the table
    columns: tuple[Column, ...]
    name: str = ""  # the column that people search by; empty: none
    person: bool = False  # whether that is a person's name, sorted by the given name
    period: str = ""  # the column that says which part of the year it belongs to; empty: only the year counts

    @property
    def row(self) -> tuple[str, ...]:
        """Names of all columns of a stored record, in the order in which rows are written and read."""
        names = ("search_name", "sort_name") if self.name else ()
        return (*HEAD, *(column.name for column in self.columns), "further", *names)


_INTEGER, _FLAG, _CHOICE, _DATE = Kind.INTEGER, Kind.FLAG, Kind.CHOICE, Kind.DATE


def _texts(*names: str) -> tuple[Column, ...]:
    return tuple(Column(name) for name in names)


SPECS: Final = (
    ObjectSpec(
        number=1,
        collection="profiles",
        field="school_profile",
        name="name",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("name", "ownership", "school_type", "area"),
            Column("national_standard", _FLAG),
            Column("two_session", _FLAG),
            Column("levels", Kind.TEXTS),
        ),
    ),
    ObjectSpec(
        number=2,
        collection="staff",
        field="staff_member",
        name="full_name",
        person=True,
        columns=(
            Column("school_year", _INTEGER),
            *_texts("full_name", "sex", "ethnic_group", "staff_group", "contract", "qualification", "subject"),
            *_texts("status", "personal_id", "level"),
            Column("birth_date", _DATE),
        ),
    ),
    ObjectSpec(
        number=3,
        collection="classes",
        field="school_class",
        name="name",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("name", "grade", "level", "homeroom_key"),
            Column("two_session", _FLAG),
            Column("multi_grade", _FLAG),
            Column("day_boarding", _FLAG),
            Column("site_key"),
        ),
    ),
    ObjectSpec(
        number=4,
        collection="pupils",
        field="pupil",
        name="full_name",
        person=True,
        columns=(
            Column("school_year", _INTEGER),
            *_texts("full_name", "sex", "ethnic_group", "class_key", "grade", "level", "status", "leaving_reason"),
            *_texts("ministry_code", "personal_id", "disability", "policy_group"),
            Column("birth_date", _DATE),
            Column("secondary", _CHOICE),
        ),
    ),
    ObjectSpec(
        number=5,
        collection="attendance",
        field="attendance_register",
        period="day",
        columns=(
            Column("school_year", _INTEGER),
            Column("class_key"),
            Column("session", _INTEGER),
            Column("scheduled_count", _INTEGER),
            Column("day", _DATE),
            Column("exceptions", Kind.ITEMS),
        ),
    ),
    ObjectSpec(
        number=6,
        collection="results",
        field="result",
        period="stage",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("pupil_key", "stage", "regulation", "learning_result", "conduct_result", "title"),
            Column("absent_days", _INTEGER),
            Column("promoted", _CHOICE),
            Column("retraining", _CHOICE),
            Column("conduct_after_retraining", Kind.SAID),
            Column("learning_after_retest", Kind.SAID),
            Column("subject_marks", Kind.ITEMS),
            Column("qualities", Kind.ITEMS),
        ),
    ),
    ObjectSpec(
        number=7,
        collection="facilities",
        field="facility",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("kind", "name", "site_key", "condition", "ownership"),
            Column("quantity", _INTEGER),
            Column("area", Kind.DECIMAL),
            Column("total_area", Kind.DECIMAL),
        ),
    ),
    ObjectSpec(
        number=8,
        collection="assignments",
        field="staff_assignment",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("staff_key", "duty", "class_key", "subject", "term"),
            Column("weekly_periods", Kind.DECIMAL),
            Column("post_share", Kind.DECIMAL),
            Column("first_day", _DATE),
            Column("last_day", _DATE),
        ),
    ),
    ObjectSpec(
        number=9,
        collection="conduct-entries",
        field="conduct_entry",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("kind", "pupil_key", "staff_key", "form", "issuing_level", "decision_number", "content"),
            Column("day", _DATE),
        ),
    ),
    ObjectSpec(
        number=10,
        collection="health-checks",
        field="health_check",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("pupil_key", "nutrition", "eyesight", "findings"),
            Column("height", Kind.DECIMAL),
            Column("weight", Kind.DECIMAL),
            Column("day", _DATE),
        ),
    ),
    ObjectSpec(
        number=11,
        collection="retests",
        field="retest",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("pupil_key", "learning_result", "conduct_result"),
            Column("promoted", _CHOICE),
            Column("subject_marks", Kind.ITEMS),
        ),
    ),
    ObjectSpec(
        number=12,
        collection="graduations",
        field="graduation",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("pupil_key", "classification"),
            Column("independent", _FLAG),
            Column("exempt", _FLAG),
            Column("special", _FLAG),
            Column("graduated", _CHOICE),
        ),
    ),
    ObjectSpec(
        number=13,
        collection="exam-candidates",
        field="exam_candidate",
        columns=(
            Column("school_year", _INTEGER),
            *_texts("full_name", "sex", "ethnic_group"),
            Column("birth_date", _DATE),
        ),
    ),
    ObjectSpec(
        number=14,
        collection="quality-reports",
        field="quality_report",
        columns=(Column("school_year", _INTEGER), Column("stage")),
    ),
)

BY_FIELD: Final[Mapping[str, ObjectSpec]] = MappingProxyType({spec.field: spec for spec in SPECS})
BY_COLLECTION: Final[Mapping[str, ObjectSpec]] = MappingProxyType({spec.collection: spec for spec in SPECS})
BY_NUMBER: Final[Mapping[int, ObjectSpec]] = MappingProxyType({spec.number: spec for spec in SPECS})

SCHOOL_KINDS: Final = frozenset({"school", "childcare_group"})  # kinds of unit that send records
