"""Files are opened by a process of their own, which is fed from a file on disk and read line by line.

A process that is no longer wanted is ended. One that dies by itself is logged with its status and last words, and
told as a file that cannot be read, or a workbook that cannot be made. Processes are started by `subprocess`, by
vfork: uvloop forks, and gRPC's handlers of forks end some children by a segmentation fault before they are the other
program.
"""

import asyncio
import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Final

import structlog

from chassis.database import Database
from services.sync.convert.sheets.refused import refusal, unreadable
from services.sync.domain.words import Text
from services.sync.store import imports
from services.sync.usecases import refusals

LONGEST_LINE: Final = 8_000_000  # A row has at most 2,000 cells of 32,767 letters, and no record needs as much.
MODULE: Final = "services.sync.convert.sheets"
LONGEST_WRITING: Final = 3_600.0  # Seconds; who asks for a workbook waits for minutes at most.
_FOLDER: Final = "iocedu-workbook-"
LAST_WORDS: Final = 2_000  # Bytes of what a process that died said at the end.
_GONE: Final = Text("tệp làm hỏng chương trình đọc", "it breaks the program that reads it")

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Process:
    """A process, and what it writes."""

    running: subprocess.Popen[bytes]
    stdout: asyncio.StreamReader
    pipe: asyncio.ReadTransport

    async def wait(self) -> int:
        """Its exit status; below zero: the signal that ended it."""
        return await asyncio.to_thread(self.running.wait)


@asynccontextmanager
async def spooled(database: Database, import_id: int) -> AsyncIterator[Path]:
    """The file of an import on disk, for as long as it is needed."""
    # It has no name: nothing is left of it however this process ends. Others open it through this one.
    with tempfile.TemporaryFile() as spool:
        async with database.connection() as reads:
            async for part in imports.parts(reads, import_id):
                await asyncio.to_thread(spool.write, part)
        spool.flush()
        yield Path(f"/proc/{os.getpid()}/fd/{spool.fileno()}")


async def lines(path: Path, told: bytes) -> AsyncGenerator[tuple[bytes, bytes]]:
    """What a file holds: the kind of each line and the rest of it; raises FileRefusedError."""
    with tempfile.TemporaryFile() as words:
        process = await _start("read", str(path), told=told, words=words)
        ended = False
        try:
            async for line in process.stdout:
                kind, rest = line[:1], line[2:].rstrip(b"\n")
                if kind == b"X":
                    raise refusal(json.loads(rest))
                ended = kind == b"E"
                yield kind, rest
            if not ended:
                await _note_death(process, words, asked="read")
                raise unreadable(_GONE)
        except ValueError as error:  # A line longer than any row.
            raise unreadable(_GONE) from error
        finally:
            await _end(process)


async def made(*arguments: str, told: Mapping[str, Any]) -> bytes:
    """A workbook that is written; raises FileRefusedError, and WORKBOOK_FAILED where the process dies.

    Its parts are laid down beside it, and go with it even where the process is killed.
    """
    given = json.dumps(told, ensure_ascii=False).encode()
    with tempfile.TemporaryFile() as words, tempfile.TemporaryDirectory(prefix=_FOLDER) as folder:
        target = Path(folder) / "workbook.xlsx"
        process = await _start(*arguments, str(target), told=given, words=words, folder=folder)
        try:
            said = await process.stdout.read()
            if said.startswith(b"X "):
                raise refusal(json.loads(said[2:]))
            if await process.wait():
                await _note_death(process, words, asked=arguments[0])
                raise refusals.workbook_failed()
            return await asyncio.to_thread(target.read_bytes)
        finally:
            await _end(process)


def remove_left_folders() -> None:
    """Remove what was being written, personal data, when a process like this one was killed."""
    for folder in Path(tempfile.gettempdir()).glob(f"{_FOLDER}*"):
        with contextlib.suppress(OSError):  # Another copy of the service was faster, or it is another user's.
            if time.time() - folder.stat().st_mtime > LONGEST_WRITING:
                shutil.rmtree(folder)
                log.warning("workbook removed", action="imports.workbook_removed")


async def _start(*arguments: str, told: bytes, words: IO[bytes], folder: str = "") -> _Process:
    """A process that finds what it is told in a file: a pipe can be closed again before it was written to."""
    try:
        with tempfile.TemporaryFile() as given:
            given.write(told)
            given.seek(0)
            command = [sys.executable, "-m", MODULE, *arguments]
            around = os.environ | ({"TMPDIR": folder} if folder else {})
            running = await asyncio.to_thread(
                subprocess.Popen, command, env=around, stdin=given, stdout=subprocess.PIPE, stderr=words
            )
    except OSError as error:  # The machine has no room for another process now.
        log.error("process not started", action="imports.process_not_started", asked=arguments[0], error=str(error))  # noqa: TRY400 (says all)
        raise refusals.no_process() from error
    stdout = asyncio.StreamReader(limit=LONGEST_LINE)
    pipe, _ = await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(stdout), running.stdout
    )
    return _Process(running, stdout, pipe)


async def _note_death(process: _Process, words: IO[bytes], *, asked: str) -> None:
    """Log how a process ended by itself; a status below zero is the signal that ended it."""
    status = await process.wait()
    words.seek(max(0, words.seek(0, os.SEEK_END) - LAST_WORDS))
    said = words.read().decode(errors="replace").strip()
    log.error("process died", action="imports.process_died", asked=asked, status=status, said=said)


async def _end(process: _Process) -> None:
    process.running.kill()
    process.pipe.close()
    await process.wait()
