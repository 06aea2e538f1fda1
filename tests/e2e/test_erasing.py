"""A parent asks that data be erased, and can ask what is left: through the gateway, with every service confirming."""

from typing import Any

import httpx
import pytest
from iocedu.records.v1 import resources_pb2

from tests.e2e.world import COMMUNE, HEAD, SCHOOL, World, pupil, school_class
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

RECORD = f"/v1/schools/{SCHOOL}/records/pupils"


async def test_a_granted_erasure_is_done_and_proven(world: World) -> None:
    """Erased in records and every other service; the request says so by itself, and the figures follow."""
    child = {"level": "01", "grade": "18", "full_name": "Lý Thị Bé Tư", "birth_date": "2021-05-04"}
    fields: dict[str, Any] = dict(child)
    await world.push([school_class(SCHOOL, "ERA"), pupil(SCHOOL, "ERA-1", "ERA", **fields)])
    await world.push([pupil(SCHOOL, "ERA-1", "ERA", version=2, **{**fields, "sex": "9"})])
    await world.settle()
    before = await world.figure("pupils", COMMUNE)

    requests = f"/v1/schools/{SCHOOL}/data-requests"
    wish = {
        "kind": "DATA_REQUEST_KIND_ERASURE",
        "collection": "pupils",
        "key": "ERA-1",
        "filed_by": "Mẹ",
        "wish": "Xóa",
    }
    filed = await world.post(requests, HEAD, {"request_id": "era-1", **wish})
    number = filed["data_request"]["data_request_id"]
    preview = await world.get(f"{requests}/{number}/remains", HEAD)
    await world.post(f"{requests}/{number}:decide", HEAD, {"granted": True, "reason": "Đúng người"})

    async def proven() -> Any:
        answer = await world.get(f"{requests}/{number}/remains", HEAD)
        return answer if answer.get("complete") else None

    answer = await poll_until(proven)

    (planned,) = [one for one in preview["remains"] if one["place"] == "pupils"]
    assert (planned["state"], planned["planned_state"]) == ("REMAIN_STATE_PRESENT", "REMAIN_STATE_ERASED")
    (left,) = [one for one in answer["remains"] if one["place"] == "pupils"]
    assert left["state"] == "REMAIN_STATE_ERASED"
    assert [one["service"] for one in answer["confirmations"]] == ["alerts", "notify", "reporting", "sync"]
    listed = await world.get(f"/v1/units/{SCHOOL}/data-requests", HEAD)
    (done,) = [one for one in listed["data_requests"] if one["data_request_id"] == number]
    assert (done["state"], done["completed_by"]) == ("DATA_REQUEST_STATE_DONE", "records")
    gone = await world.http.get(f"{RECORD}/ERA-1", headers=world.bearer(HEAD))
    assert gone.status_code == httpx.codes.NOT_FOUND

    async def follows() -> bool:
        now = await world.figure("pupils", COMMUNE)
        return before is not None and now is not None and now == before - 1

    await poll_until(follows)
    again = await world.push([pupil(SCHOOL, "ERA-1", "ERA", version=3, **fields)])
    assert list(again.states) == [resources_pb2.ROW_STATE_REJECTED]
    assert again.problems[0].reason == "RECORD_ERASED"
