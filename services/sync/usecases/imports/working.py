"""Imports are worked on: claimed by one run at a time, looked at, carried, ended. Whatever process is lost, another one
goes on after the last slice that was counted.

Acts for who uploaded the file, who is asked for again: a right that was taken back ends the import.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final
from uuid import UUID, uuid4

import structlog

from chassis.errors import Fault, Kind
from chassis.identity import Caller, set_caller
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.domain.imports import MOST_ATTEMPTS, Counts, Import, ImportState, with_deletions
from services.sync.domain.words import Text
from services.sync.store import imports
from services.sync.usecases import refusals
from services.sync.usecases.imports.carrying import carry
from services.sync.usecases.imports.examining import examine
from services.sync.usecases.imports.office import Office
from services.sync.usecases.imports.opening import spooled

LEASE_SECONDS: Final = 10.0  # What a run that is lost holds up its import.
# What another try may find otherwise: a service that is away, a row that others wait for.
_PASSING: Final = frozenset({Kind.UNAVAILABLE, Kind.DEADLINE, Kind.EXHAUSTED, Kind.CONFLICT})

log = structlog.get_logger(__name__)


class StoppedError(Exception):
    """The run is over: the claim is another's, or somebody asked for it to be cancelled."""


async def work_on_next(office: Office, *, lease: float = LEASE_SECONDS) -> bool:
    """Work on the oldest import that waits; False when none does."""
    run = uuid4()
    async with office.intake.database.transaction() as writes:
        one = await imports.claim(writes, run=run, seconds=lease)
    if one is None:
        return False
    set_caller(Caller(subject=one.order.subject, actor=one.order.subject))
    work = _Work(office, one, run)
    async with work.claimed(lease):
        await work.done()
    return True


class _Work:
    """One run on one import."""

    def __init__(self, office: Office, one: Import, run: UUID) -> None:
        self._office = office
        self._one = one
        self._run = run

    @asynccontextmanager
    async def claimed(self, lease: float) -> AsyncIterator[None]:
        """Keep the claim while the block runs, and end the block when it is lost."""
        holder = asyncio.current_task()
        assert holder is not None, "a run is a task"
        lost = False

        async def keep() -> None:
            nonlocal lost
            while not lost:
                await asyncio.sleep(lease / 3)
                with contextlib.suppress(Fault):
                    async with self._office.intake.database.transaction() as writes:
                        lost = not await imports.renew(writes, self._one.import_id, run=self._run, seconds=lease)
            holder.cancel()

        keeper = asyncio.create_task(keep())
        try:
            yield
        except asyncio.CancelledError:
            if not lost:
                await asyncio.shield(self._release())
                raise
            holder.uncancel()
            log.warning("import lost", action="imports.lost", import_id=self._one.import_id)
        finally:
            keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await keeper

    async def _release(self) -> None:
        """Let another process go on at once: this one stops."""
        with contextlib.suppress(Fault):
            async with self._office.intake.database.transaction() as writes:
                await imports.release(writes, self._one.import_id, run=self._run)

    async def done(self) -> None:
        """Look at the import and carry it, as far as it goes."""
        one = self._one
        try:
            if one.attempts > MOST_ATTEMPTS:
                raise _gives_up()
            self._ask_again()
            async with spooled(self._office.intake.database, one.import_id) as path:
                await self._ask_who_came_after()
                if not one.begun and await self._waits(path):
                    return
                await carry(self._office, self._one, path, note=self._note, lacks=self._lacks)
            await self._end(ImportState.SUCCEEDED)
        except StoppedError:
            if self._one.cancel_requested:
                await self._end(ImportState.CANCELLED)
        except FileRefusedError as refused:
            await self._fail(refused.reason, refused.text, faults=[one.said() for one in refused.faults])
        except Fault as fault:
            if fault.kind in _PASSING and one.attempts <= MOST_ATTEMPTS:
                # The claim runs out by itself: the next try comes after a while.
                log.warning("import waits", action="imports.wait", import_id=one.import_id, reason=fault.reason)
                return
            await self._fail(fault.reason, Text(fault.vi, fault.en))

    async def _waits(self, path: Path) -> bool:
        """Look at the file, again before anything of it is stored: whether a person has to be asked what it was not."""
        one = self._one
        examined = await examine(self._office, one, path)
        doubts = [
            {"kind": it.kind.value, "vi": it.text.vi, "en": it.text.en, "examples": it.examples}
            for it in examined.suspicions
        ]
        asked = {doubt["vi"] for doubt in one.suspicions} if one.state is ImportState.RUNNING else set[str]()
        waits = not one.order.validate_only and any(doubt["vi"] not in asked for doubt in doubts)
        state = ImportState.AWAITING_CONFIRMATION if waits else ImportState.RUNNING
        about: dict[str, Any] = {"sheets": examined.sheets, "row_count": examined.row_count}
        if waits:
            about |= {"suspicions": doubts, "claimed_until": None, "attempts": 0, **imports.decided(None)}
        elif one.state is ImportState.QUEUED:
            about |= {"suspicions": doubts}
        await self._advance(state=state.value, **about)
        log.info("import looked at", action="imports.examined", import_id=one.import_id, state=state.name)
        return waits

    async def _ask_who_came_after(self) -> None:
        """Raise OVERTAKEN once what was sent later counts: this would overwrite it, or delete what it brought."""
        if self._one.order.validate_only:
            return
        async with self._office.intake.database.connection() as reads:
            later = await imports.sent_after(reads, self._one)
        if (by := next((one for one in later if one.overtakes(self._one)), None)) is not None:
            raise refusals.overtaken(by)

    async def _note(self, number: int, counts: Counts, gone: Mapping[str, list[str]]) -> None:
        """Count a slice."""
        told = {"deletions": with_deletions(self._one.deletions, gone, lacking=False)} if gone else {}
        await self._advance(slices_done=number, attempts=0, **imports.counted(self._one.counts.plus(counts)), **told)
        self._ask_again()

    async def _lacks(self, keys: Mapping[str, list[str]]) -> None:
        """Keep what a complete file lacks, before any of it is gone; what a run that was lost has told stays told."""
        await self._ask_who_came_after()
        if not any(one["lacking"] for one in self._one.deletions):
            await self._advance(deletions=with_deletions(self._one.deletions, keys, lacking=True))

    async def _advance(self, **values: Any) -> None:
        now = self._office.intake.clock.now()
        async with self._office.intake.database.transaction() as writes:
            changed = await imports.advance(writes, self._one.import_id, run=self._run, now=now, **values)
        if changed is None:
            raise StoppedError
        self._one = changed
        if changed.cancel_requested:
            raise StoppedError

    def _ask_again(self) -> None:
        """Raise NO_GRANT once who uploaded the file no longer may."""
        if not self._office.permitted(self._one.order):
            raise Fault(
                Kind.DENIED,
                "NO_GRANT",
                vi="Người tải tệp lên không còn được cấp quyền tại đơn vị này nên việc nạp đã dừng. Những dòng đã ghi "
                "nhận vẫn còn.",
                en="Who uploaded the file holds no role on the unit any more, so it was stopped. Rows stored by then "
                "stay.",
            )

    async def _fail(self, reason: str, text: Text, *, faults: Sequence[dict[str, Any]] = ()) -> None:
        error = {"reason": reason, "vi": text.vi, "en": text.en} | ({"faults": faults} if faults else {})
        log.warning("import failed", action="imports.failed", import_id=self._one.import_id, reason=reason)
        await self._end(ImportState.FAILED, error=error)

    async def _end(self, state: ImportState, **values: Any) -> None:
        now = self._office.intake.clock.now()
        ended = {"state": state.value, "end_time": now, "claim": None, "claimed_until": None}
        async with self._office.intake.database.transaction() as writes:
            await imports.advance(writes, self._one.import_id, run=self._run, now=now, **ended, **values)
            await imports.drop_file(writes, self._one.import_id)
        log.info("import ended", action="imports.ended", import_id=self._one.import_id, state=state.name)


def _gives_up() -> Fault:
    return Fault(
        Kind.INTERNAL,
        "TOO_MANY_ATTEMPTS",
        vi=f"Đã thử {MOST_ATTEMPTS} lần mà không nạp được tệp. Hãy báo người vận hành hệ thống kèm số lượt nạp.",
        en=f"The file could not be imported in {MOST_ATTEMPTS} attempts. Tell the operators the number of the import.",
    )
