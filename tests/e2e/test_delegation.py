"""Somebody stands in for another, by REST: every service lets her, and none any more once the grant is taken back."""

from datetime import timedelta

import httpx
import pytest

from chassis.clock import Clock
from tests.e2e.world import COMMUNE, FAR, SCHOOL, World, give
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

AWAY, DEPUTY = "vang-mat", "cap-pho"
COUNT = "iocedu.alerts.v1.AlertsService/CountAlerts"


async def test_a_deputy_acts_in_every_service_until_the_grant_she_acts_by_is_revoked(world: World) -> None:
    """Alerts knows her as records does; asked why, both sides are told; revoked, she is refused within seconds."""
    (granted,) = await give(world, [(AWAY, "officer", COMMUNE)])
    until = (Clock().today() + timedelta(days=30)).isoformat()
    body = {"subject": DEPUTY, "unit": SCHOOL, "valid_to": until}

    async def delegated() -> object:
        answer = await world.http.post(f"/v1/grants/{granted}:delegate", json=body, headers=world.bearer(AWAY))
        return answer.json()["grant"] if answer.status_code == httpx.codes.OK else None

    async def answer(unit: str) -> int:
        return (await world.http.get(f"/v1/units/{unit}/alerts:count", headers=world.bearer(DEPUTY))).status_code

    async def allowed() -> bool:
        return await answer(SCHOOL) == httpx.codes.OK

    async def refused() -> bool:
        return await answer(SCHOOL) == httpx.codes.FORBIDDEN

    grant = await poll_until(delegated)
    assert (grant["delegated_by"], grant["valid_to"]) == (AWAY, until)
    await poll_until(allowed)
    assert await answer(FAR) == httpx.codes.FORBIDDEN

    mine = await world.get("/v1/me/access", DEPUTY, unit=SCHOOL, method=COUNT)
    elsewhere = await world.get("/v1/me/access", DEPUTY, unit=FAR, method=COUNT)
    told = await world.get(f"/v1/units/{SCHOOL}/access", "admin", role="officer", method=COUNT)
    assert mine["allowed"]
    assert not elsewhere.get("allowed", False)
    assert "officer" in [one["role"] for one in elsewhere["remedies"]]
    assert [one["delegated_by"] for one in told["grants"] if one["subject"] == DEPUTY] == [AWAY]

    await world.post(f"/v1/grants/{granted}:revoke", "admin", {})
    await poll_until(refused)
