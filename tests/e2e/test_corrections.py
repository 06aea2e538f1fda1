"""A record corrected by REST as docs/corrections.md shows it, and a document that is only looked at."""

import json
from typing import Any

import httpx
import pytest

from tests.e2e.world import HEAD, SCHOOL, VENDOR, World, pupil, school_class
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

PUPILS = f"/v1/schools/{SCHOOL}/records/pupils"
RECORD = f"{PUPILS}/COR-1"


async def patch(world: World, body: dict[str, Any], *, path: str = RECORD) -> httpx.Response:
    """A correction by the head teacher."""
    headers = world.bearer(HEAD) | {"accept-language": "en"}
    return await world.http.patch(path, json=body, headers=headers)


async def test_a_head_teacher_corrects_a_record(world: World) -> None:
    """A field and a name of `further`; with the etag of before it is refused, and nothing of the rest is touched."""
    sent = pupil(SCHOOL, "COR-1", "COR", further={"TEN_ME": "Trần Thị Lan", "TEN_CHA": "Lê Nam"})
    await world.push([school_class(SCHOOL, "COR"), sent])
    record = (await world.get(RECORD, HEAD))["record"]
    body = {
        "row": {"pupil": {"birth_date": "2020-09-30", "further": {"TEN_ME": "Trần Thị Lân"}}},
        "update_mask": 'birth_date,further["TEN_ME"]',
        "etag": record["etag"],
        "request_id": "sửa-1",
        "reason": "Theo giấy khai sinh",
    }

    dry = await patch(world, body | {"validate_only": True})
    done = await patch(world, body)
    again = await patch(world, body)
    late = await patch(world, body | {"request_id": "cor-2"})

    assert [one.status_code for one in (dry, done, again, late)] == [200, 200, 200, 409], (
        dry.text,
        done.text,
        late.text,
    )
    assert {one.json()["state"] for one in (dry, done, again)} == {"ROW_STATE_ACCEPTED"}
    assert "ETAG_MISMATCH" in late.text
    held = (await world.get(RECORD, HEAD, purpose="Đối chiếu"))["record"]
    assert held["edited"] is True
    assert held["row"]["pupil"]["birth_date"] == "2020-09-30"
    assert held["row"]["pupil"]["further"] == {"TEN_ME": "Trần Thị Lân", "TEN_CHA": "Lê Nam"}
    (newest, _) = (await world.get(f"{RECORD}/changes", HEAD))["changes"]
    assert (newest["edited_by"], newest["edit_reason"]) == (HEAD, "Theo giấy khai sinh")
    assert newest["request_id"].endswith("/sửa-1")
    assert (await world.push([sent])).unchanged_count == 1


async def test_a_correction_counts(world: World) -> None:
    """Figures follow it, though the source's version is the same: a pupil who has left counts no more."""
    await world.push([school_class(SCHOOL, "COR"), pupil(SCHOOL, "COR-2", "COR")])
    await world.settle()
    before = await world.figure("pupils", SCHOOL)
    assert before is not None
    record = (await world.get(f"{PUPILS}/COR-2", HEAD))["record"]
    body = {"row": {"pupil": {"status": "09"}}, "update_mask": "status", "etag": record["etag"]}

    left = await patch(world, body, path=f"{PUPILS}/COR-2")

    assert left.status_code == httpx.codes.OK, left.text

    async def counted() -> bool:
        return await world.figure("pupils", SCHOOL) == before - 1

    await poll_until(counted)


async def test_a_document_is_only_looked_at(world: World) -> None:
    """By the query of the address; whole or not at all, too."""
    row = {"school": SCHOOL, "key": "COR-9", "version": 1, "pupil": {"school_year": 2026, "full_name": "Lê An"}}
    answer = await world.http.post(
        f"/v1/units/{SCHOOL}/push",
        params={"batch.source": VENDOR, "validate_only": "true", "atomic": "true"},
        content=json.dumps(row).encode(),
        headers=world.bearer(VENDOR) | {"content-type": "application/x-ndjson"},
    )

    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.json()["outcome"]["states"] == ["ROW_STATE_REJECTED"]
    quarantine = await world.get(f"/v1/units/{SCHOOL}/quarantine", VENDOR)
    assert not [one for one in quarantine.get("rows", []) if one["problem"]["key"] == "COR-9"]
