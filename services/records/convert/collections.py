"""Collections as callers name them."""

from chassis.errors import FieldViolation
from chassis.validation import invalid
from services.records.domain.objects import BY_COLLECTION, ObjectSpec


def collection_of(name: str) -> ObjectSpec:
    """The type of record behind a name; raises INVALID_FIELD."""
    spec = BY_COLLECTION.get(name)
    if spec is None:
        raise invalid([no_such_collection(name, field="collection")])
    return spec


def no_such_collection(name: str, *, field: str) -> FieldViolation:
    """What is said of a name that is none; `field` is where it was written."""
    there = ", ".join(BY_COLLECTION)
    return FieldViolation(
        field,
        "INVALID_FIELD",
        f"Không có loại dữ liệu «{name}». Hãy ghi một trong: {there}.",
        f"There is no collection “{name}”. Write one of {there}.",
    )
