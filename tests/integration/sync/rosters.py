"""Zips as OneRoster's exporters make them: a class, its teacher and its pupils, changed by the tests."""

import csv
import io
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

FILES = ("orgs", "academicSessions", "classes", "users", "roles", "enrollments", "demographics")
HEADINGS: Mapping[str, Sequence[str]] = {
    "orgs": ("sourcedId", "status", "dateLastModified", "name", "type", "identifier", "parentSourcedId"),
    "academicSessions": (
        "sourcedId", "status", "dateLastModified", "title", "type", "startDate", "endDate", "parentSourcedId",
        "schoolYear",
    ),
    "classes": (
        "sourcedId", "status", "dateLastModified", "title", "grades", "courseSourcedId", "classCode", "classType",
        "location", "schoolSourcedId", "termSourcedIds", "subjects", "subjectCodes", "periods",
    ),
    "users": (
        "sourcedId", "status", "dateLastModified", "enabledUser", "username", "userIds", "givenName", "familyName",
        "middleName", "identifier", "email", "sms", "phone", "agentSourcedIds", "grades", "password",
        "userMasterIdentifier", "preferredGivenName", "preferredMiddleName", "preferredFamilyName",
        "primaryOrgSourcedId", "pronouns",
    ),
    "roles": (
        "sourcedId", "status", "dateLastModified", "userSourcedId", "roleType", "role", "beginDate", "endDate",
        "orgSourcedId", "userProfileSourcedId",
    ),
    "enrollments": (
        "sourcedId", "status", "dateLastModified", "classSourcedId", "schoolSourcedId", "userSourcedId", "role",
        "primary", "beginDate", "endDate",
    ),
    "demographics": ("sourcedId", "status", "dateLastModified", "birthDate", "sex", "countryOfBirthCode"),
}  # fmt: skip

Rows = list[dict[str, str]]


def school(pupils: int = 3) -> dict[str, Rows]:
    """What files of everything say of school A: class 6A, the teacher of maths who has it, pupils."""
    people = [person(f"hs-{number}", "student", given=f"An {number}") for number in range(1, pupils + 1)]
    people.append(person("gv-1", "teacher", given="Bình"))
    return {
        "orgs": [{"sourcedId": "org-a", "name": "Trường THCS Nguyễn Du", "type": "school", "identifier": "49506001"}],
        "academicSessions": [{"sourcedId": "nh", "title": "2026-2027", "type": "schoolYear", "schoolYear": "2027"}],
        "classes": [
            {"sourcedId": "6A", "title": "6A", "grades": "06", "classType": "homeroom"} | _AT,
            {"sourcedId": "toan-6A", "title": "Toán 6A", "grades": "06", "classType": "scheduled"} | _AT,
        ],
        "users": [one["user"] for one in people],
        "roles": [one["role"] for one in people],
        "demographics": [one["demographics"] for one in people],
        "enrollments": [
            *(enrolled(f"hs-{number}", "6A") for number in range(1, pupils + 1)),
            enrolled("gv-1", "6A", role="teacher", primary="true"),
            enrolled("gv-1", "toan-6A", role="teacher", primary="true"),
        ],
    }


_AT = {"schoolSourcedId": "org-a", "termSourcedIds": "nh"}


def person(sourced_id: str, role: str, *, given: str) -> dict[str, dict[str, str]]:
    """A person in the three files that tell of one."""
    user = {
        "sourcedId": sourced_id, "enabledUser": "true", "givenName": given, "familyName": "Nguyễn",
        "middleName": "Văn", "email": "x@example.vn",
    }  # fmt: skip
    return {
        "user": user,
        "role": {
            "sourcedId": f"r-{sourced_id}", "userSourcedId": sourced_id, "roleType": "primary", "role": role,
            "orgSourcedId": "org-a",
        },
        "demographics": {
            "sourcedId": sourced_id, "sex": "male", "birthDate": "1985-03-09" if role == "teacher" else "2015-03-09",
        },
    }  # fmt: skip


def enrolled(user: str, of: str, *, role: str = "student", primary: str = "false", **said: str) -> dict[str, str]:
    """An enrolment."""
    row = {"sourcedId": f"e-{user}-{of}", "classSourcedId": of, "userSourcedId": user, "schoolSourcedId": "org-a"}
    return row | {"role": role, "primary": primary} | said


def at(moment: str, row: Mapping[str, str], *, status: str = "active") -> dict[str, str]:
    """A row of a file of changes."""
    return dict(row) | {"status": status, "dateLastModified": f"2026-{moment}:00.000Z"}


def roster(
    said: Mapping[str, Rows],
    *,
    mode: str = "bulk",
    modes: Mapping[str, str] | None = None,
    manifest: Iterable[tuple[str, str]] = (),
    more: Mapping[str, str] | None = None,
) -> bytes:
    """A zip; `modes` are of single files, `manifest` says other properties, `more` are other files."""
    chosen = dict.fromkeys(FILES, "absent") | dict.fromkeys(said, mode) | dict(modes or {})
    declared = {"manifest.version": "1.0", "oneroster.version": "1.2"}
    declared |= {f"file.{name}": one for name, one in chosen.items()} | {"source.systemCode": "truong-so"}
    lines: list[Sequence[Any]] = [("propertyName", "value"), *(declared | dict(manifest)).items()]
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as target:
        target.writestr("manifest.csv", _csv(lines))
        for name, rows in said.items():
            extra = sorted({column for row in rows for column in row} - set(HEADINGS[name]))
            heading = [*HEADINGS[name], *extra]
            target.writestr(f"{name}.csv", _csv([heading, *([row.get(one, "") for one in heading] for row in rows)]))
        for name, content in (more or {}).items():
            target.writestr(name, content)
    return out.getvalue()


def _csv(lines: Iterable[Sequence[Any]]) -> str:
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows(lines)
    return out.getvalue()
