"""What the OpenAPI page fills in, so that a printed call works as it stands on a fleet with the demo."""

from typing import Any

_SCHOOL = "moet:49506001"
PARAMETERS = {
    "unit": "gso:48",
    "parent": "gso:48",
    "school": _SCHOOL,
    "collection": "pupils",
    "batch.source": "vnedu",
}
# A document is a school's: rows for it are sent by that school's software.
OF_A_DOCUMENT = PARAMETERS | {"unit": _SCHOOL}
ROW: dict[str, Any] = {
    "school": _SCHOOL,
    "key": "1X.2026",
    "version": 1,
    "school_class": {"school_year": 2026, "name": "1X", "grade": "01", "level": "02"},
}
