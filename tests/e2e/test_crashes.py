"""Any part may be killed at any moment: nothing is lost, nothing is there twice.

The fleet of these tests keeps its data durably, as in production, and runs two copies of every consumer.
"""

import asyncio
import random
from collections.abc import AsyncIterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import grpc
import pytest
from iocedu.records.v1 import resources_pb2

from deploy.local.fleet import Fleet
from deploy.local.settings import FleetSettings
from tests.e2e.world import (
    DIRECTOR,
    FAR,
    HEAD,
    NEIGHBOUR,
    OFFICER,
    PRIMARY_LIMIT,
    PROVINCE,
    SCHOOL,
    YEAR,
    World,
    give,
    pupil,
    school_class,
    world_of,
)
from tests.support.waiting import poll_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

SCHOOLS = (SCHOOL, NEIGHBOUR, FAR)
# What a sender may repeat. A part that dies must never be told as INTERNAL.
RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED, grpc.StatusCode.RESOURCE_EXHAUSTED}
OVERSIZE = PRIMARY_LIMIT + 2
CHANNELS = Path(__file__).resolve().parents[2] / "services/notify/rules/channels.json"


@pytest.fixture(scope="module")
async def durable(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    """A durable fleet with two copies of each consumer, and the small province in it."""
    copies = {"reporting": 2, "alerts": 2, "notify": 2}
    # Messages whose sender died are tried again soon; a house waits longer than its mail server may take.
    rules = tmp_path_factory.mktemp("rules") / "channels.json"
    rules.write_text(CHANNELS.read_text("utf-8").replace('"lease_seconds": 120', '"lease_seconds": 3'), "utf-8")
    settings = replace(FleetSettings(), own={"notify": {"CHANNEL_RULES_FILE": str(rules)}})
    fleet = Fleet(tmp_path_factory.mktemp("durable"), replicas=copies, settings=settings)
    await fleet.start()
    try:
        async with world_of(fleet) as world:
            yield world
    finally:
        await fleet.stop()


@dataclass
class Load:
    """A vendor that pushes classes of pupils, one batch after the other, and repeats what was not answered."""

    world: World
    name: str
    pushed: dict[str, set[str]] = field(default_factory=lambda: {school: set() for school in SCHOOLS})
    classes: int = 0

    async def push_class(self) -> None:
        """Push one oversize class until it is acknowledged."""
        school = SCHOOLS[self.classes % len(SCHOOLS)]
        key = f"{self.name}{self.classes}"
        self.classes += 1
        keys = [f"{key}-{number}" for number in range(OVERSIZE)]
        rows = [school_class(school, key), *(pupil(school, each, key) for each in keys)]
        await self.insist(rows, f"{self.name}-{key}")
        self.pushed[school].update(keys)

    async def insist(self, rows: list[resources_pb2.Row], batch_id: str) -> None:
        """Push until answered, as an integrator does."""

        async def answered() -> bool:
            try:
                outcome = await self.world.push(rows, batch_id=batch_id)
            except grpc.aio.AioRpcError as error:
                if error.code() not in RETRIED:
                    raise
                return False
            assert outcome.rejected_count == 0, outcome.problems
            return True

        await poll_until(answered)

    async def check(self) -> None:
        """Every row is there once, the figures equal a recount, each class has one alert, told each reader once."""
        await self.settled()
        for school in SCHOOLS:
            stored = await self.stored(school)

            assert self.pushed[school] <= stored
            assert await self.world.figure("pupils", school) == len(stored)
        expected = {f"{self.name}{number}" for number in range(self.classes)}
        alerts = [alert for alert in await self.world.alerts(PROVINCE) if alert.facts["name"] in expected]
        assert sorted(alert.facts["name"] for alert in alerts) == sorted(expected)
        ids = {alert.alert_id: alert.unit_id for alert in alerts}
        for subject, units in ((DIRECTOR, SCHOOLS), (OFFICER, (SCHOOL, NEIGHBOUR)), (HEAD, (SCHOOL,))):
            mine = [one.alert_id for one in await self.world.told(subject) if one.alert_id in ids]
            expected_count = sum(1 for number in range(self.classes) if SCHOOLS[number % len(SCHOOLS)] in units)

            assert len(mine) == len(set(mine)) == expected_count

    async def settled(self) -> None:
        """Wait until everything pushed is counted, alerted and delivered."""
        total = sum(len(keys) for keys in self.pushed.values())
        expected = {f"{self.name}{number}" for number in range(self.classes)}

        async def done() -> bool:
            try:
                alerts = {a.alert_id for a in await self.world.alerts(PROVINCE) if a.facts["name"] in expected}
                counted = await self.world.figure("pupils") or 0
                told = {one.alert_id for one in await self.world.told(DIRECTOR)}
            except grpc.aio.AioRpcError:
                return False
            return counted >= total and len(alerts) >= len(expected) and alerts <= told

        await poll_until(done, timeout=240)
        await self.world.settle()

    async def stored(self, school: str) -> set[str]:
        """Keys of the pupils records holds for a school, each seen once."""
        keys: list[str] = []
        token = ""
        while True:
            page: dict[str, Any] = await self.world.get(
                f"/v1/units/{school}/records/pupils", DIRECTOR, page_size=1000, page_token=token
            )
            keys += [record["row"]["key"] for record in page.get("records", [])]
            token = page.get("next_page_token", "")
            if not token:
                assert len(keys) == len(set(keys))
                return set(keys)


@pytest.mark.parametrize("victim", ["sync", "records", "reporting", "alerts", "notify"])
async def test_a_service_killed_again_and_again_loses_and_doubles_nothing(durable: World, victim: str) -> None:
    """A service is killed at random moments while classes are pushed, beside its second copy or alone."""
    load = Load(durable, name=f"{victim[:2]}")
    dice = random.Random(victim)
    pushing = asyncio.create_task(_push(load, 15))
    for _ in range(4):
        await asyncio.sleep(dice.uniform(0.05, 0.4))
        await durable.fleet.kill(victim)
        await asyncio.sleep(dice.uniform(0.0, 0.2))
        await durable.fleet.restart(victim)
    await pushing

    await load.check()


@pytest.mark.parametrize("victim", ["postgres", "nats"])
async def test_a_backing_server_killed_mid_way_loses_and_doubles_nothing(durable: World, victim: str) -> None:
    """PostgreSQL or NATS dies while classes are pushed; services reconnect by themselves and catch up."""
    load = Load(durable, name=f"{victim[:2]}")
    pushing = asyncio.create_task(_push(load, 15))
    await asyncio.sleep(0.3)
    await durable.fleet.kill(victim)
    await asyncio.sleep(0.5)
    await durable.fleet.restart(victim)
    await pushing

    await load.check()


async def test_alerts_killed_while_registers_come_raises_each_pupil_once(durable: World) -> None:
    """Thirty pupils, three days absent without permission, alerts killed all along: one alert each, none twice."""
    load, dice = Load(durable, name="dd"), random.Random("registers")
    keys = [f"DD-{number}" for number in range(30)]
    await load.insist([school_class(NEIGHBOUR, "DD"), *(pupil(NEIGHBOUR, key, "DD") for key in keys)], "dd-pupils")
    pushing = asyncio.create_task(_registers(load, keys))
    for _ in range(4):
        await asyncio.sleep(dice.uniform(0.05, 0.4))
        await durable.fleet.kill("alerts")
        await durable.fleet.restart("alerts")
    await pushing

    async def raised() -> list[str]:
        answer = await durable.get(
            f"/v1/units/{NEIGHBOUR}/alerts", DIRECTOR, rule="absence_unexplained", page_size=1000
        )
        return sorted(alert["facts"]["pupil_key"] for alert in answer.get("alerts", []))

    async def complete() -> bool:
        return len(await raised()) >= len(keys)

    await poll_until(complete)
    await durable.settle()
    assert await raised() == sorted(keys)


async def _registers(load: Load, keys: list[str]) -> None:
    for day in ("2026-11-18", "2026-11-19", "2026-11-20"):
        away = [resources_pb2.AttendanceException(pupil_key=key, kind="K") for key in keys]
        register = resources_pb2.AttendanceRegister(
            school_year=YEAR, class_key="DD", day=day, session=1, scheduled_count=30, exceptions=away
        )
        row = resources_pb2.Row(school=NEIGHBOUR, key=f"DD-{day}-1", version=1, attendance_register=register)
        await load.insist([row], f"dd-{day}")


async def test_notify_killed_while_it_sends_forgets_and_doubles_nobody(durable: World) -> None:
    """Both copies die again and again: every reader has one notice, and one mail by its id in the mailbox."""
    readers = [f"van-thu-{number}" for number in range(60)]
    await give(durable, ((reader, "clerk", SCHOOL) for reader in readers))
    contacts = [{"subject": reader, "contact": {"email": f"{reader}@example.vn"}} for reader in readers]
    await durable.post("/v1/contacts:import", "admin", {"contacts": contacts})
    audience = {"groups": [{"kinds": ["school"], "roles": ["clerk"]}]}
    draft = {"title_vi": "Họp trực tuyến", "body_vi": "Chiều nay, 14 giờ.", "audience": audience}
    path = f"/v1/units/{PROVINCE}/announcements"
    made = (await durable.post(path, DIRECTOR, {"draft": draft}))["announcement"]["announcement_id"]
    await poll_until(lambda: _reaches(durable, audience, len(readers)))
    await durable.post(f"{path}/{made}:approve", DIRECTOR, {})
    await durable.post(f"{path}/{made}:schedule", DIRECTOR, {})
    dice = random.Random(7)
    for victim in ("notify", "notify-2", "notify", "notify-2"):
        await asyncio.sleep(dice.uniform(0.1, 1.2))
        await durable.fleet.kill(victim)
        await durable.fleet.restart(victim)

    mails = await poll_until(lambda: _mails(durable, "Họp trực tuyến", len(readers)), timeout=240)
    assert sorted(mail["to"] for mail in mails) == sorted(f"{reader}@example.vn" for reader in readers)
    for reader in (readers[0], readers[-1]):
        assert [notice.title_vi for notice in await durable.notices(reader)] == ["Họp trực tuyến"]
    counts = (await durable.get(f"{path}/{made}/receipts:summarize", DIRECTOR))["total"]
    assert (counts["recipient_count"], counts["delivered_count"]) == (len(readers), len(readers))


async def _reaches(world: World, audience: dict[str, Any], count: int) -> bool:
    body = {"audience": audience}
    answer = await world.http.post(
        f"/v1/units/{PROVINCE}/announcements:preview", json=body, headers=world.bearer(DIRECTOR)
    )
    return bool(answer.json().get("preview", {}).get("recipient_count") == count)


async def _mails(world: World, title: str, count: int) -> list[dict[str, Any]]:
    answer = await world.http.get(f"http://{world.fleet.pages['mailbox']}/mails.json")
    found = [mail for mail in answer.json() if title in mail["subject"]]
    return found if len(found) >= count else []


async def _push(load: Load, classes: int) -> None:
    for _ in range(classes):
        await load.push_class()
