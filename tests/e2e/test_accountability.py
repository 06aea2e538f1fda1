"""Who changed a record and who looked at it, by REST; and the access log checked from outside."""

import asyncio
import os
import subprocess
import sys
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.e2e.world import SCHOOL, World, pupil, school_class
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

RECORD = f"/v1/schools/{SCHOOL}/records/pupils/ACC-1"


async def test_a_change_and_the_look_at_it_can_be_accounted_for(world: World) -> None:
    """What it was, what it became, and in the log, sealed, that somebody asked."""
    await world.push([school_class(SCHOOL, "ACC"), pupil(SCHOOL, "ACC-1", "ACC")])
    between = datetime.now(UTC).isoformat()
    await world.push([pupil(SCHOOL, "ACC-1", "ACC", version=2, full_name="Nguyễn Thị Hoà Bình")])

    told = await world.get(f"{RECORD}/changes", "admin", purpose="Phụ huynh hỏi")
    then = await world.get(f"{RECORD}:asOf", "admin", time=between)

    assert [one["kind"] for one in told["changes"]] == ["CHANGE_KIND_CHANGED", "CHANGE_KIND_CREATED"]
    (field,) = told["changes"][0]["fields"]
    assert field == {"field": "full_name", "old_value": "Nguyễn Thị Hòa", "new_value": "Nguyễn Thị Hoà Bình"}
    assert [one["brought_by"] for one in told["changes"]] == ["vnedu"] * 2
    (batch_id,), unit = told["changes"][0]["batch_ids"], told["changes"][0]["batch_unit_id"]
    batch = await world.get(f"/v1/units/{unit}/batches/{batch_id}", "admin", source=told["changes"][0]["source"])
    assert batch["outcome"]["accepted_count"] == 1
    assert then["record"]["row"]["pupil"]["full_name"] == "Nguyễn Thị Hòa"

    async def listed() -> Any:
        answer = await world.get(f"/v1/units/{SCHOOL}/accesses", "admin", key="ACC-1")
        looks = [one for one in answer["accesses"] if one["method"] != "ListAccesses"]
        return looks if all(int(one.get("sequence", 0)) for one in looks) else None

    looks = await poll_until(listed)
    assert [(one["method"], one.get("purpose", "")) for one in looks] == [
        ("GetRecordAsOf", ""),
        ("ListRecordChanges", "Phụ huynh hỏi"),
    ]


async def test_the_access_log_is_checked_beside_the_running_service(world: World) -> None:
    """With the address of the database and the broker alone."""
    environment = {
        "PATH": os.environ["PATH"],
        "IOCEDU_DATABASE_URL": world.fleet.databases["records"],
        "IOCEDU_NATS_URL": world.fleet.nats_url,
    }
    command = [sys.executable, "-m", "services.records", "verify-access-log"]

    done = await asyncio.to_thread(
        subprocess.run, command, env=environment, capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stdout + done.stderr
    assert "entries are in order" in done.stdout


async def test_a_look_at_another_service_stands_in_the_log_too(world: World) -> None:
    """Rows in quarantine hold what schools sent: who read them is told by sync, and kept where every look is."""
    await world.get(f"/v1/units/{SCHOOL}/quarantine", "admin")

    async def listed() -> Any:
        answer = await world.get(f"/v1/units/{SCHOOL}/accesses", "admin", collection="sync")
        return [one["method"] for one in answer.get("accesses", [])]

    assert "ListQuarantinedRows" in await poll_until(listed)
