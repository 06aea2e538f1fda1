"""The two commands with the real services: up with the demo, a token, a question, down, and up again."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import grpc
import httpx
import pytest
from iocedu.records.v1 import units_pb2, units_pb2_grpc

from deploy.local.folder import DataFolder
from deploy.local.ports import free_port
from deploy.local.settings import CHECKOUT
from tests.support.waiting import poll_until

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]
COMMAND = [sys.executable, "-m", "deploy.local"]
UP = ("up", "--detach", "--scale", "tiny")


def run(environment: dict[str, str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    return subprocess.run(
        [*COMMAND, *arguments], cwd=CHECKOUT, env=environment, capture_output=True, text=True, timeout=200, check=False
    )


async def test_a_demo_that_was_interrupted_is_completed_and_then_kept(tmp_path: Path) -> None:
    """Ctrl-C during the load stops all; the next start completes it; the one after that loads nothing."""
    folder = DataFolder(tmp_path / "data")
    environment = {**os.environ, "IOCEDU_DATA": str(folder.path), "IOCEDU_PORT": str(free_port())}
    try:
        first = subprocess.Popen([*COMMAND, *UP], cwd=CHECKOUT, env=environment, stderr=subprocess.DEVNULL)  # noqa: ASYNC220
        await poll_until(lambda: folder.demo().get("state") == "loading", timeout=240)
        first.send_signal(signal.SIGINT)
        assert first.wait(60) == 130
        assert not folder.locked

        second = run(environment, *UP)
        assert second.returncode == 0, second.stderr
        assert "was interrupted: completing it" in second.stderr
        assert folder.demo() == {"scale": "tiny", "state": "loaded"}
        shown = json.loads(run(environment, "status", "--json").stdout)
        assert {part["state"] for part in shown["parts"]} == {"ready"}

        token = run(environment, "token", "--role", "officer", "--unit", "gso:48").stdout
        assert token.count("\n") == 1
        bearer = f"Bearer {token.strip()}"
        answer = httpx.get(f"http://{shown['gateway']}/v1/units/gso:48", headers={"authorization": bearer})  # noqa: ASYNC210
        assert answer.status_code == 200, answer.text
        async with grpc.aio.insecure_channel(shown["gateway"]) as channel:
            unit = await units_pb2_grpc.UnitsServiceStub(channel).GetUnit(
                units_pb2.GetUnitRequest(unit="gso:48"), metadata=[("authorization", bearer)], timeout=10
            )
        assert str(unit.unit.unit_id) == answer.json()["unit"]["unit_id"]

        assert run(environment, "down").returncode == 0
        third = run(environment, *UP)
        assert third.returncode == 0, third.stderr
        assert "loading the demo" not in third.stderr
        answer = httpx.get(f"http://{shown['gateway']}/v1/units/gso:48", headers={"authorization": bearer})  # noqa: ASYNC210
        assert answer.status_code == 200, answer.text
    finally:
        run(environment, "down")
    assert not folder.locked
