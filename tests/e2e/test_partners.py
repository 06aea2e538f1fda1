"""A vendor through the real edge: it signs its own tokens, rotates its key, is suspended, and tries things out."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from examples.partner import OwnTokens, make_key
from examples.school_system import Outcome, PushRefusedError, SchoolSystem
from tests.e2e.world import DIRECTOR, NEIGHBOUR, PROVINCE, World, give
from tests.support.signing import Signer
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

PARTNER, HEAD_THERE = "edusoft", "hieu-truong-dai-hiep"
SECONDS = 10.0  # Within which every door has to know; the measured delays are in docs/partners.md.


def row(number: str, school: str, **fields: Any) -> dict[str, Any]:
    """A pupil in the ministry's names."""
    told = {"DOI_TUONG": "HOC_SINH", "TRUONG_ID": school, "NAM_HOC": "2026-2027", "PHIEN_BAN": 1, "MA_KHOI": "01"}
    told |= {"HOC_SINH_ID": number, "HO_TEN": "Lê Thị Mai", "NGAY_SINH": "09/03/2020", "MA_GIOI_TINH": "2"}
    return told | {"MA_TRANG_THAI_HIEN_TAI": "01", "MA_LOP": "1A"} | fields


async def answer(
    world: World, method: str, path: str, token: str, body: dict[str, Any] | None = None
) -> httpx.Response:
    """A call with a token as it is."""
    return await world.http.request(method, path, json=body, headers={"authorization": f"Bearer {token}"})


def reason(told: httpx.Response) -> str:
    """Why it was refused; OK where it was not."""
    if told.status_code == httpx.codes.OK:
        return "OK"
    return next(str(one["reason"]) for one in told.json()["details"] if "reason" in one)


async def becomes(world: World, tokens: Any, *reasons: str) -> None:
    """Wait until the partner, asking for itself, hears one of these."""

    async def heard() -> bool:
        return reason(await answer(world, "GET", f"/v1/partners/{PARTNER}", tokens())) in reasons

    await poll_until(heard, timeout=SECONDS)


def once_allowed(vendor: SchoolSystem, unit: str, rows: list[dict[str, Any]], batch_id: str) -> Outcome | None:
    """What became of a push; None while its unit or grant is still on its way."""
    try:
        return vendor.push(unit, rows, batch_id=batch_id)
    except PushRefusedError as refused:
        if refused.reason not in {"NO_GRANT", "UNKNOWN_UNIT"}:
            raise
        return None


async def test_a_partner_from_its_registration_to_its_conformance_report(world: World, tmp_path: Path) -> None:
    """Register, connect, push, rotate, suspend, go on, open a sandbox, empty it, and read what is still wrong."""
    before = await world.figure("pupils", NEIGHBOUR) or 0
    tokens = await registers(world, tmp_path)
    connection = await pushes_where_it_is_connected(world, tokens)
    next_tokens = await rotates_its_key(world, tokens, tmp_path)
    await is_suspended_for_a_while(world, next_tokens)
    await tries_things_out(world, next_tokens)
    await takes_back_what_it_sent(world, next_tokens)
    path = f"/v1/units/{NEIGHBOUR}/partner-connections/{connection}:end"
    ended = await world.post(path, HEAD_THERE, {"reason": "hết hợp đồng"})
    assert ended["connection"]["state"] == "PARTNER_CONNECTION_STATE_ENDED"

    async def as_before() -> bool:
        return (await world.figure("pupils", NEIGHBOUR) or 0) == before

    await poll_until(as_before)


async def registers(world: World, tmp_path: Path) -> OwnTokens:
    """The department registers it with its first key; both doors know within seconds."""
    public = make_key(tmp_path / "k1.pem")
    tokens = OwnTokens(PARTNER, "k1", tmp_path / "k1.pem")
    body = {"partner_id": PARTNER, "display_name": "EduSoft", "contact": "1900 1234"}
    await world.post(f"/v1/units/{PROVINCE}/partners", DIRECTOR, body)
    await world.post(f"/v1/partners/{PARTNER}/keys", DIRECTOR, {"kid": "k1", "public_key": public})
    await becomes(world, tokens, "OK")

    return tokens


async def pushes_where_it_is_connected(world: World, tokens: OwnTokens) -> str:
    """Refused before the school's head connects it, stored afterwards."""
    vendor = SchoolSystem(world.fleet.gateway, tokens, source=PARTNER)
    code = NEIGHBOUR.removeprefix("moet:")
    with pytest.raises(PushRefusedError) as refused:
        vendor.push(NEIGHBOUR, [row("HS7001", code)])
    assert refused.value.reason == "NO_GRANT", "not connected"

    await give(world, [(HEAD_THERE, "head_teacher", NEIGHBOUR)])
    wish = {"collections": ["pupils"], "reason": "hợp đồng 2026"}

    async def connected() -> Any:
        path = f"/v1/units/{NEIGHBOUR}/partners/{PARTNER}:connect"
        told = await answer(world, "POST", path, world.token(HEAD_THERE), wish)
        return told.json() if told.status_code == httpx.codes.OK else None

    connection = (await poll_until(connected))["connection"]
    outcome = await poll_until(lambda: once_allowed(vendor, NEIGHBOUR, [row("HS7001", code)], "e2e-partner-1"))
    assert outcome.accepted == 1
    record = await world.get(f"/v1/schools/{NEIGHBOUR}/records/pupils/HS7001.2026", HEAD_THERE)
    assert record["record"]["source"] == PARTNER

    vendor.close()
    return str(connection["connection_id"])


async def rotates_its_key(world: World, tokens: OwnTokens, tmp_path: Path) -> OwnTokens:
    """Nobody signs for another; both keys hold beside each other, then only the new one."""
    forged = Signer(PARTNER, "k1")
    assert reason(await answer(world, "GET", "/v1/me/grants", forged.token())) == "INVALID_TOKEN"
    long = Signer(PARTNER, "k1", tokens._key).token(seconds=3600)
    assert reason(await answer(world, "GET", "/v1/me/grants", long)) == "INVALID_TOKEN"
    other = Signer(DIRECTOR, "k1", tokens._key).token()
    assert reason(await answer(world, "GET", "/v1/me/grants", other)) == "INVALID_TOKEN"

    next_public = make_key(tmp_path / "k2.pem")
    next_tokens = OwnTokens(PARTNER, "k2", tmp_path / "k2.pem")
    told = await answer(
        world, "POST", f"/v1/partners/{PARTNER}/keys", tokens(), {"kid": "k2", "public_key": next_public}
    )
    assert told.status_code == httpx.codes.OK, told.text
    await becomes(world, next_tokens, "OK")
    assert reason(await answer(world, "GET", f"/v1/partners/{PARTNER}", tokens())) == "OK"
    path = f"/v1/partners/{PARTNER}/keys/k1:revoke"
    told = await answer(world, "POST", path, next_tokens(), {"reason": "đổi khóa"})
    assert told.status_code == httpx.codes.OK, told.text
    await becomes(world, tokens, "INVALID_TOKEN", "UNKNOWN_KEY")
    await becomes(world, tokens, "UNKNOWN_KEY")

    return next_tokens


async def is_suspended_for_a_while(world: World, next_tokens: OwnTokens) -> None:
    """Refused by every service, then at the edge; afterwards it goes on as before."""
    await world.post(f"/v1/partners/{PARTNER}:suspend", DIRECTOR, {"reason": "kiểm tra sự cố"})
    await becomes(world, next_tokens, "SUBJECT_SUSPENDED", "UNKNOWN_KEY")
    await becomes(world, next_tokens, "UNKNOWN_KEY")
    for service in ("/v1/me/grants", f"/v1/units/{NEIGHBOUR}/connections", f"/v1/units/{NEIGHBOUR}/indicators"):
        told = await answer(world, "GET", service, world.token(PARTNER))
        assert reason(told) == "SUBJECT_SUSPENDED", "nor with a token that somebody else issued to it"
    vendor = SchoolSystem(world.fleet.gateway, next_tokens, source=PARTNER)
    with pytest.raises(PushRefusedError) as refused:
        vendor.push(NEIGHBOUR, [row("HS7002", NEIGHBOUR.removeprefix("moet:"))])
    assert (refused.value.reason, refused.value.status) == ("UNKNOWN_KEY", 401)
    await world.post(f"/v1/partners/{PARTNER}:resume", DIRECTOR, {})
    await becomes(world, next_tokens, "OK")

    vendor.close()


async def tries_things_out(world: World, next_tokens: OwnTokens) -> None:
    """The sandbox is filled by the same client, judged, emptied, and filled again from version 1."""
    vendor = SchoolSystem(world.fleet.gateway, next_tokens, source=PARTNER)
    sandbox = await answer(world, "POST", f"/v1/partners/{PARTNER}/sandbox:open", next_tokens(), {})
    school = sandbox.json()["sandbox"]["schools"][0]["alias"]
    tried = [row("HS1", school.removeprefix("moet:")), row("HS2", school.removeprefix("moet:"), NGAY_SINH="31/02/2020")]

    outcome = await poll_until(lambda: once_allowed(vendor, school, tried, "try-1"))
    assert (outcome.accepted, outcome.rejected) == (1, 1)
    assert vendor.push(school, tried, batch_id="try-1").accepted == 1
    vendor.push(school, [row("HS3", school.removeprefix("moet:"))], batch_id="try-2")
    report = (await answer(world, "GET", f"/v1/partners/{PARTNER}/sandbox/conformance", next_tokens())).json()
    states = {one["requirement"]: one["state"] for one in report["findings"]}
    assert states["signs_itself"] == states["repeats_batches"] == "CONFORMANCE_STATE_PASSED"
    assert states["rotates_keys"] == "CONFORMANCE_STATE_PASSED"
    assert states["corrects_rejected"] == "CONFORMANCE_STATE_FAILED"
    assert states["sends_deletions"] == "CONFORMANCE_STATE_NOT_SHOWN"
    wrong = next(one for one in report["findings"] if one["requirement"] == "corrects_rejected")["evidence"]
    assert [(one["batch_id"], one["row_index"], one["field"]) for one in wrong] == [("try-1", 1, "NGAY_SINH")]
    emptied = (await answer(world, "POST", f"/v1/partners/{PARTNER}/sandbox:reset", next_tokens(), {})).json()
    assert int(emptied["removed_count"]) == 2
    assert vendor.push(school, tried, batch_id="try-1").accepted == 1, "stored anew under the old id"

    told = await world.get(f"/v1/units/{PROVINCE}/connections", DIRECTOR, page_size=1000)
    assert not [one for one in told["connections"] if "thử nghiệm" in one["school_name"]]
    vendor.close()


async def takes_back_what_it_sent(world: World, tokens: OwnTokens) -> None:
    """The pupil is deleted again, so that the school is as it was."""
    vendor = SchoolSystem(world.fleet.gateway, tokens, source=PARTNER, profile="iocedu")
    gone = {"school": NEIGHBOUR, "key": "HS7001.2026", "version": 2, "deleted": True, "pupil": {"school_year": 2026}}
    assert vendor.push(NEIGHBOUR, [gone]).accepted == 1
    vendor.close()
