"""Records reach the ministry's simulator on the real platform, whatever is killed, and both sides end up the same.

The fleet keeps its data durably and runs two copies of sync; the simulator is a process of its own with its own store.
"""

import asyncio
import json
import random
import sqlite3
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest
from iocedu.records.v1 import resources_pb2, results_pb2
from playwright.async_api import expect

from deploy.local.fleet import Fleet
from tests.e2e.browsing import WAIT, Visit
from tests.e2e.world import DIRECTOR, FAR, NEIGHBOUR, PROVINCE, SCHOOL, YEAR, World, pupil, school_class, world_of
from tests.support.waiting import poll_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SCHOOLS = (SCHOOL, NEIGHBOUR, FAR)
PUSHES = f"/v1/units/{PROVINCE}/destinations/moet"
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}


@pytest.fixture(scope="module")
async def passing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A durable fleet with two copies of sync, the small province in it."""
    fleet = Fleet(tmp_path_factory.mktemp("passing"), replicas={"sync": 2})
    await fleet.start()
    try:
        async with world_of(fleet) as world:
            yield world
    finally:
        await fleet.stop()


def profile(school: str) -> resources_pb2.Row:
    """A school's own record."""
    record = resources_pb2.School(school_year=YEAR, name=school, levels=["02"])
    return resources_pb2.Row(school=school, key=str(YEAR), version=1, school_profile=record)


def result(school: str, pupil_key: str) -> resources_pb2.Row:
    """A pupil's results in the middle of the first term."""
    record = results_pb2.Result(school_year=YEAR, pupil_key=pupil_key, stage="GK1", regulation="TT27")
    return resources_pb2.Row(school=school, key=f"{pupil_key}.GK1", version=1, result=record)


def class_of(school: str, name: str, count: int) -> list[resources_pb2.Row]:
    """A class with pupils and their results, results first."""
    keys = [f"{name}-{number}" for number in range(count)]
    people = [pupil(school, key, name) for key in keys]
    return [*(result(school, key) for key in keys), *people, school_class(school, name), profile(school)]


def there(world: World, question: str) -> list[Any]:
    """What the simulator's own store answers."""
    path = world.fleet.folder.path / "ministry" / "ministry.db"
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as base:
        return base.execute(question).fetchall()


def held_there(world: World) -> dict[str, set[str]]:
    """Keys of pupils there, by school."""
    found: dict[str, set[str]] = {}
    for school, key in there(world, "SELECT school, key FROM record WHERE object = 'HOC_SINH' AND cancelled = 0"):
        found.setdefault(f"moet:{school}", set()).add(key)
    return found


async def settled(world: World, *, accepted: int) -> bool:
    """Whether so many records are accepted and nothing waits."""
    answer = await world.http.get(f"{PUSHES}/pushes:summarize", headers=world.bearer(DIRECTOR))
    counts = answer.json().get("counts", {}) if answer.is_success else {}
    return int(counts.get("accepted_count", 0)) == accepted and int(counts.get("waiting_count", 1)) == 0


async def same_on_both_sides(world: World, *, records: int) -> None:
    """Comparing finds nothing; the journal there has no version of a record twice and none that falls."""
    found = (await world.post(f"{PUSHES}/reconciliations", DIRECTOR, {}))["reconciliation"]
    gaps = {name: int(found[name]) for name in ("missing_there_count", "missing_here_count", "differing_count")}
    assert (set(gaps.values()), int(found["record_count"])) == ({0}, records), found
    journal = there(world, "SELECT id, version FROM journal ORDER BY rowid")
    assert [one for one, times in Counter(journal).items() if times > 1] == []
    last: dict[str, int] = {}
    for record_id, version in journal:
        assert version > last.get(record_id, 0)
        last[record_id] = version


async def insist(world: World, rows: list[resources_pb2.Row], batch_id: str) -> None:
    """Push until answered, as an integrator does."""

    async def answered() -> bool:
        try:
            outcome = await world.push(rows, batch_id=batch_id)
        except grpc.aio.AioRpcError as error:
            if error.code() not in RETRIED:
                raise
            return False
        assert outcome.rejected_count == 0, outcome.problems
        return True

    await poll_until(answered)


async def test_what_schools_push_arrives_at_the_ministry_by_itself(passing: World) -> None:
    """Through the front door in, through sync out, in the ministry's names; then both sides are the same."""
    for number, school in enumerate(SCHOOLS):
        await passing.push(class_of(school, f"A{number}", 20))
    await poll_until(lambda: settled(passing, accepted=3 * 42))

    assert {school: len(keys) for school, keys in held_there(passing).items()} == dict.fromkeys(SCHOOLS, 20)
    ((content,),) = there(passing, "SELECT content FROM record WHERE object = 'HOC_SINH' AND key = 'A0-7'")
    told = json.loads(content)
    assert (told["HO_TEN"], told["NGAY_SINH"], told["MA_LOP"]) == ("Nguyễn Thị Hòa", "08/03/2020", "A0")
    await same_on_both_sides(passing, records=3 * 42)


async def test_the_gap_of_an_outage_closes_by_itself(passing: World) -> None:
    """The ministry is gone, schools go on pushing, nothing fails; it comes back, and everything is there."""
    await passing.fleet.kill("ministry")
    await passing.push(class_of(SCHOOL, "B0", 15))

    async def noticed() -> bool:
        answer = await passing.get(f"{PUSHES}/pushes:summarize", DIRECTOR)
        return bool(answer["destination"]["problem"]) and int(answer["counts"]["waiting_count"]) > 0

    await poll_until(noticed)
    schools = (await passing.get(f"{PUSHES}/schools", DIRECTOR, unsettled_only=True))["schools"]
    assert [int(one["counts"]["failed_count"]) for one in schools] == [0]

    await passing.fleet.restart("ministry")
    await poll_until(lambda: settled(passing, accepted=3 * 42 + 31), timeout=240)
    await same_on_both_sides(passing, records=3 * 42 + 31)


@pytest.mark.parametrize(("letter", "form"), [("K", "TYPED_PACKAGES"), ("E", "RECORD_EVENTS")])
async def test_kills_at_any_moment_lose_nothing_and_double_nothing(passing: World, letter: str, form: str) -> None:
    """Both copies of sync and the ministry are killed again and again while schools push and answers are lost.

    Whichever form they speak in by then; what the other form brought stays known.
    """
    asked = {"destination": {"form": f"EXCHANGE_FORM_{form}"}, "update_mask": "form"}
    admin = passing.bearer("admin")
    (await passing.http.patch("/v1/destinations/moet", json=asked, headers=admin)).raise_for_status()
    before = len(there(passing, "SELECT id FROM record WHERE cancelled = 0"))
    chance, parts = random.Random(20261102), ("sync", "sync-2", "ministry")
    stop = asyncio.Event()
    address = passing.fleet.simulators["ministry"]

    async def disturb() -> None:
        while not stop.is_set():
            part = chance.choice(parts)
            await passing.fleet.kill(part)
            await passing.fleet.restart(part)
            if part == "ministry":
                faults = {"lose_answer_share": 0.3, "fail_share": 0.1, "processing_seconds": 0.05}
                await passing.http.put(f"http://{address}/mo-phong/loi", json=faults)

    disturbing = asyncio.create_task(disturb())
    try:
        for number in range(12):
            await insist(passing, class_of(SCHOOLS[number % 3], f"{letter}{number}", 12), f"kills-{letter}{number}")
    finally:
        stop.set()
        await disturbing
    quiet = {"lose_answer_share": 0, "fail_share": 0, "processing_seconds": 0}
    await passing.http.put(f"http://{address}/mo-phong/loi", json=quiet)
    total = before + 12 * 25

    await poll_until(lambda: settled(passing, accepted=total), timeout=240)
    found = held_there(passing)
    assert {school: sum(key.startswith(letter) for key in found[school]) for school in SCHOOLS} == dict.fromkeys(
        SCHOOLS, 48
    )
    await same_on_both_sides(passing, records=total)


async def test_the_page_shows_how_far_schools_are_and_compares(passing: World, visit: Visit) -> None:
    """Sums, schools, one school's history, and the comparison, in Vietnamese."""
    await insist(passing, class_of(SCHOOL, "P0", 3), "page")
    page = await visit(passing, DIRECTOR, "/destinations.html")
    row = page.locator("tbody tr", has_text="Trường Tiểu học Ái Nghĩa")
    await expect(row).to_be_visible(timeout=WAIT)
    await expect(page.locator(".states")).to_contain_text("Thành công")
    await expect(page.locator("main")).to_contain_text("Dạng trao đổi: ")
    await row.get_by_role("button").click()
    await expect(page.locator(".one.pushes")).to_contain_text("Lịch sử gần nhất", timeout=WAIT)
    await expect(page.locator(".one.pushes tbody tr").first).to_contain_text("Thành công", timeout=WAIT)
    await page.get_by_role("button", name="Đối soát").click()
    await expect(page.locator("main")).to_contain_text("Hai bên khớp hoàn toàn", timeout=WAIT)
