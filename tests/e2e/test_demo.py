"""The demo goes in by the front door and comes out as figures; the examples for integrators work as shipped."""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator
from datetime import date
from pathlib import Path

import grpc
import httpx
import pytest

from demo import places, province, school
from demo.department import LEVELS
from deploy.local.fleet import Fleet
from tests.e2e.world import DIRECTOR, World
from tests.support.waiting import poll_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

IN_STOCK = {"01", "02", "03"}  # Those of the demo's statuses that count as present.


@pytest.fixture(scope="module")
async def loaded(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A fleet of its own, with the tiny demo in it."""
    fleet = Fleet(tmp_path_factory.mktemp("demo"), durable=False)
    await fleet.start()
    try:
        code, told = await run(
            "demo.load", "--gateway", fleet.gateway, "--scale", "tiny", "--issuer-folder", str(fleet.folder.keys)
        )

        assert code == 0, told
        async with (
            httpx.AsyncClient(base_url=f"http://{fleet.gateway}", timeout=60) as http,
            grpc.aio.insecure_channel(fleet.gateway) as channel,
        ):
            yield World(fleet, http, channel)
    finally:
        await fleet.stop()


async def run(module: str, *arguments: str, **environment: str) -> tuple[int, str]:
    """Run a module as a user would; exit status and everything it printed."""
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        module,
        *arguments,
        env={**os.environ, **environment},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    printed, _ = await process.communicate()
    assert process.returncode is not None
    return process.returncode, printed.decode()


def sending() -> list[province.School]:
    """The schools of the tiny demo that send this year's data."""
    schools = province.schools(province.SCALES["tiny"], places.load().communes)
    return [item for item in schools if not item.silent]


def this_year() -> int:
    """First calendar year of the school year."""
    today = date.today()  # noqa: DTZ011  the demo and this test run on the same day
    return today.year if today.month >= 8 else today.year - 1


async def test_the_figures_equal_what_the_demo_sent(loaded: World) -> None:
    """Pupils in stock and connected schools, counted anew from the rows that were sent and not refused.

    The demo enters one pupil of a defective school twice: a person counts once.
    """
    answer = await loaded.get("/v1/units/gso:48/quarantine", "giam-doc", page_size=1000)
    year = this_year()
    kept = [row for row in answer.get("rows", []) if row["batch_id"].endswith(f"-{year}")]
    refused = {row["problem"]["key"].partition(".")[0] for row in kept}
    sent = {
        row["HOC_SINH_ID"]: (row["MA_CONG_DAN_ID"], row["HO_TEN"], row["NGAY_SINH"])
        for item in sending()
        for row in school.pupil_rows(item, school.roster(item, year), year, version=1)
        if row["MA_TRANG_THAI_HIEN_TAI"] in IN_STOCK
    }
    expected = len({who for key, who in sent.items() if key not in refused})
    assert expected < len(sent.keys() - refused), "someone is entered twice"

    async def counted() -> bool:
        return await loaded.figure("pupils", "gso:48") == expected

    await poll_until(counted)
    assert await loaded.figure("schools_connected", "gso:48") == len(sending()), "childcare groups count as schools"


async def test_loading_again_changes_nothing(loaded: World) -> None:
    """A second load is answered from what is there: the feed stays, no report is asked for and no letter sent twice."""
    before = await loaded.position()

    code, told = await run(
        "demo.load",
        "--gateway",
        loaded.fleet.gateway,
        "--scale",
        "tiny",
        "--issuer-folder",
        str(loaded.fleet.folder.keys),
    )

    assert code == 0, told
    assert await loaded.position() == before
    campaigns = (await loaded.get("/v1/units/gso:48/campaigns", "giam-doc"))["campaigns"]
    assert len({one["form"] for one in campaigns}) == len(campaigns) == len(LEVELS)
    [letter] = (await loaded.get("/v1/units/gso:48/announcements", "giam-doc"))["announcements"]
    assert letter["state"] in ("ANNOUNCEMENT_STATE_SCHEDULED", "ANNOUNCEMENT_STATE_SENT")


async def test_last_year_notified_nobody(loaded: World) -> None:
    """Every notice is about this school year; history raised no alert."""
    alerts = await loaded.get("/v1/units/gso:48/alerts", DIRECTOR, page_size=1000, rule="class_oversize")
    years = {alert["facts"]["school_year"] for alert in alerts["alerts"]}

    assert years == {str(this_year())}


async def test_the_example_school_system_pushes_and_explains(loaded: World, tmp_path: Path) -> None:
    """The shipped client pushes a file; its bad row is named with its number, reason and remedy."""
    item = sending()[0]
    rows = list(school.class_rows(item, this_year(), version=2))[:3]
    rows.append({**rows[0], "MA": "XX", "MA_KHOI": "77"})
    file = tmp_path / "rows.ndjson"
    file.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows), encoding="utf-8")
    token = loaded.token(item.source)

    code, told = await run(
        "examples.school_system",
        str(file),
        "--gateway",
        loaded.fleet.gateway,
        "--unit",
        f"moet:{item.code}",
        "--source",
        item.source,
        TOKEN=token,
    )

    assert code == 1, told
    assert "1 rejected" in told
    assert "Dòng 4: MA_KHOI" in told
    assert "INVALID_FIELD" in told


async def test_a_broken_line_is_explained_and_another_profile_is_another_batch(loaded: World, tmp_path: Path) -> None:
    """One line that is no JSON stops no other; the same file under another profile is not taken for the same batch."""
    item = sending()[0]
    row = json.dumps(next(iter(school.class_rows(item, this_year(), version=2))), ensure_ascii=False)
    file = tmp_path / "rows.ndjson"
    file.write_text(f'{row}\n{{"DOI_TUONG": "LOP",\n', encoding="utf-8")
    target = ("--unit", f"moet:{item.code}", "--source", item.source, "--gateway", loaded.fleet.gateway)
    token = loaded.token(item.source)

    code, told = await run("examples.school_system", str(file), *target, TOKEN=token)
    assert code == 1, told
    assert "1 rejected" in told
    assert "INVALID_JSON" in told
    assert "Dòng 2" in told
    code, told = await run("examples.school_system", str(file), *target, "--profile", "iocedu", TOKEN=token)
    assert code == 1, told
    assert "2 rejected" in told


@pytest.mark.parametrize(
    ("content", "token", "told"),
    [
        (None, "t", "rows.ndjson: No such file"),
        (b"{}\n\xff\xfe\n", "t", "rows.ndjson: line 2 is not UTF-8"),
        (b" \n", "t", "rows.ndjson: holds no rows"),
        (b"{}\n", "", "TOKEN is not set"),
    ],
)
async def test_what_the_example_cannot_send_is_one_line(
    tmp_path: Path, content: bytes | None, token: str, told: str
) -> None:
    """What is wrong before anything is sent is said in one line, not as a traceback."""
    file = tmp_path / "rows.ndjson"
    if content is not None:
        file.write_bytes(content)

    code, said = await run("examples.school_system", str(file), "--unit", "moet:1", "--source", "vnedu", TOKEN=token)

    assert code == 2
    assert told in said
    assert len(said.splitlines()) == 1


async def test_the_example_provincial_ioc_misses_and_doubles_nothing(loaded: World, tmp_path: Path) -> None:
    """The shipped client follows the feed to its end; started again it receives only what is new."""
    state = tmp_path / "position"
    arguments = ("--gateway", loaded.fleet.gateway, "--unit", "gso:48", "--state", str(state))

    code, first = await run("examples.provincial_ioc", *arguments, TOKEN=loaded.token("ioc-tinh"))
    assert code == 0, first
    assert "pupils" in first
    _, second = await run("examples.provincial_ioc", *arguments, TOKEN=loaded.token("ioc-tinh"))

    assert second.splitlines()[-1].startswith("0 changes")
    assert int(state.read_text()) == await loaded.position()


async def test_the_push_printed_on_the_page_of_the_interface_works(loaded: World) -> None:
    """The description's own example is taken, with what it says is needed and with a source."""
    path = "/v1/units/{unit}/push"
    operation = (await loaded.http.get("/openapi.json")).json()["paths"][path]["post"]
    printed = (one for one in operation["parameters"] if one["required"] or one["name"] == "batch.source")
    needed = {one["name"]: one["example"] for one in printed}
    body = operation["requestBody"]["content"]["application/json"]["example"]

    answer = await loaded.http.post(
        path.format(unit=needed.pop("unit")), params=needed, json=body, headers=loaded.bearer("vnedu")
    )

    assert answer.status_code == httpx.codes.OK, answer.text
    assert answer.json()["outcome"]["accepted_count"] == 1
