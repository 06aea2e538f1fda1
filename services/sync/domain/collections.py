"""Collections and the records that rows of them hold."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

ATTENDANCE: Final = "attendance"
COLLECTIONS: Final[Mapping[str, str]] = MappingProxyType(  # Collections by the record that a row holds.
    {
        "school_profile": "profiles",
        "staff_member": "staff",
        "school_class": "classes",
        "pupil": "pupils",
        "attendance_register": ATTENDANCE,
        "result": "results",
        "facility": "facilities",
        "staff_assignment": "assignments",
        "conduct_entry": "conduct-entries",
        "health_check": "health-checks",
        "retest": "retests",
        "graduation": "graduations",
        "exam_candidate": "exam-candidates",
        "quality_report": "quality-reports",
    }
)
RECORDS: Final[Mapping[str, str]] = MappingProxyType({name: record for record, name in COLLECTIONS.items()})
