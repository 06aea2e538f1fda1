"""What the department of education does in the demo: units, grants, addresses, a letter, the report it asks for."""

from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, time, timedelta
from time import monotonic, sleep
from typing import Any

import httpx

from deploy.local.demo import DIRECTOR

ADMINISTRATOR = "admin"
PROVINCE = "gso:48"
PARALLEL = 3
UNITS_A_REQUEST, CONTACTS_A_REQUEST = 1000, 5000
LEVELS = ("preschool", "primary", "lower_secondary", "upper_secondary")
STAGES = {**dict.fromkeys((8, 9, 10, 11), "start"), **dict.fromkeys((12, 1, 2, 3), "middle")}
"""The report that a month asks for; every other month asks for that of the end of the year."""
REPORT_DAYS = {"confirm_due_time": 5, "review_due_time": 8, "approve_due_time": 12}
LETTER_DAYS = 7
END_OF_WORK = time(17)


class LoadError(Exception):
    """The demo could not be loaded; the message is one line."""


class Department:
    """The department's own client, as its administrator and as its director. Repeating a call adds nothing."""

    def __init__(self, gateway: str, token: Callable[[str], str]) -> None:
        self._http = httpx.Client(base_url=f"http://{gateway}", timeout=120)
        self._token = token

    def register(self, units: list[dict[str, Any]]) -> None:
        """Import units, all of them in a few requests; parents come first."""
        for start in range(0, len(units), UNITS_A_REQUEST):
            self._post("/v1/units:import", {"units": units[start : start + UNITS_A_REQUEST]})

    def give(self, grants: Iterable[tuple[str, str, str]]) -> None:
        """Give each (subject, role, unit)."""
        with ThreadPoolExecutor(PARALLEL) as pool:
            for _ in pool.map(self._grant, grants):
                pass

    def wait_for(self, subject: str, unit: str, seconds: float = 30.0) -> None:
        """Wait until every service knows the grants given last; raises `LoadError` when that takes too long."""
        end = monotonic() + seconds
        for path in (f"/v1/units/{unit}", f"/v1/units/{unit}/connections"):
            while True:
                answer = self._http.get(path, headers=self._bearer(subject))
                if answer.status_code == httpx.codes.OK:
                    break
                if monotonic() > end:
                    raise LoadError(f"{path} still answers {answer.status_code}: {answer.text[:300]}")
                sleep(0.1)

    def bring_contacts(self, subjects: Iterable[str]) -> None:
        """Give each person a mail address, whose letters lie in the fleet's mailbox."""
        contacts = [
            {"subject": subject, "contact": {"email": f"{subject}@truong.example.vn"}} for subject in sorted(subjects)
        ]
        for start in range(0, len(contacts), CONTACTS_A_REQUEST):
            self._post("/v1/contacts:import", {"contacts": contacts[start : start + CONTACTS_A_REQUEST]})

    def ask_for_reports(self, now: datetime, school_year: int) -> None:
        """Begin a campaign of the season's sample form for every level, unless there is one of the year."""
        path = f"/v1/units/{PROVINCE}/campaigns"
        if self._get(path, school_year=school_year).get("campaigns"):
            return
        due = {name: _end_of_work(now, days) for name, days in REPORT_DAYS.items()}
        for level in LEVELS:
            form = f"{level}_{STAGES.get(now.month, 'end')}_of_year"
            self._post(path, {"form": form, "school_year": school_year, **due}, subject=DIRECTOR)

    def write_to_heads(self, now: datetime, school_year: int) -> None:
        """Send one letter to the heads of all schools, to be confirmed and answered."""
        path = f"/v1/units/{PROVINCE}/announcements"
        draft = {
            "title_vi": "Kế hoạch kiểm tra an toàn trường học",
            "title_en": "Plan of the safety inspection of schools",
            "body_vi": "Các trường tự kiểm tra phòng học, điện và phòng cháy, rồi trả lời ngày đã kiểm tra xong.",
            "body_en": "Schools inspect classrooms, wiring and fire safety themselves, then answer the day of it.",
            "due_time": _end_of_work(now, LETTER_DAYS),
            "receipt_required": True,
            "reminder_hours": [24],
            "audience": {"groups": [{"kinds": ["school"], "roles": ["head_teacher"]}], "everybody": True},
            "form": [{"name": "inspected", "label": "Ngày kiểm tra xong", "type": "FIELD_TYPE_DATE", "required": True}],
        }
        asked = {"draft": draft, "request_id": f"demo-{school_year}"}
        letter = self._post(path, asked, subject=DIRECTOR)["announcement"]
        if letter["state"] != "ANNOUNCEMENT_STATE_DRAFT":
            return
        for step in ("approve", "schedule"):
            self._post(f"{path}/{letter['announcement_id']}:{step}", {}, subject=DIRECTOR)

    def _grant(self, grant: tuple[str, str, str]) -> None:
        subject, role, unit = grant
        self._post("/v1/grants", {"subject": subject, "role": role, "unit": unit})

    def _get(self, path: str, **query: Any) -> dict[str, Any]:
        return _said("GET", path, self._http.get(path, params=query, headers=self._bearer(DIRECTOR)))

    def _post(self, path: str, body: dict[str, Any], *, subject: str = ADMINISTRATOR) -> dict[str, Any]:
        return _said("POST", path, self._http.post(path, json=body, headers=self._bearer(subject)))

    def _bearer(self, subject: str) -> dict[str, str]:
        return {"authorization": f"Bearer {self._token(subject)}"}


def _said(method: str, path: str, answer: httpx.Response) -> dict[str, Any]:
    if answer.status_code != httpx.codes.OK:
        raise LoadError(f"{method} {path} answered {answer.status_code}: {answer.text[:500]}")
    found: dict[str, Any] = answer.json()
    return found


def _end_of_work(now: datetime, days: int) -> str:
    return datetime.combine(now.date() + timedelta(days=days), END_OF_WORK, now.tzinfo).isoformat()
