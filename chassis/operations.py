"""What an operator can do with a service: list and replay the events its consumers gave up.

Serves `iocedu.chassis.v1.OperationsService`; who may call it is decided by the interceptors like everywhere.
"""

from collections.abc import Mapping
from datetime import timedelta

import structlog
from iocedu.chassis.v1 import operations_pb2, operations_pb2_grpc

from chassis import dead_letters, inbox
from chassis.bus import Handle
from chassis.database import Database
from chassis.errors import Fault
from chassis.paging import page_cursor, page_size, page_token
from chassis.workers import Worker

REPLAYED_AT_ONCE = 20

log = structlog.get_logger(__name__)


class OperationsServicer(operations_pb2_grpc.OperationsServiceServicer):
    """Answers over one database; `replays` holds each consumer's handler by the consumer's name."""

    def __init__(self, database: Database, replays: Mapping[str, Handle]) -> None:
        self._database = database
        self._replays = dict(replays)

    def pruner(self, *, kept: timedelta) -> Worker:
        """The worker that forgets given-up events that nobody replayed in time."""
        return dead_letters.pruner(self._database, kept=kept)

    async def ListDeadLetters(
        self, request: operations_pb2.ListDeadLettersRequest, _context: object
    ) -> operations_pb2.ListDeadLettersResponse:
        """List given-up events, newest first."""
        size = page_size(request.page_size)
        cursor = page_cursor(request)
        letters = await dead_letters.page(self._database, limit=size + 1, below=int(cursor[0]) if cursor else None)
        response = operations_pb2.ListDeadLettersResponse(dead_letters=map(_shown, letters[:size]))
        if len(letters) > size:
            response.next_page_token = page_token(request, [letters[size - 1].dead_letter_id])
        return response

    async def ReplayDeadLetters(
        self, request: operations_pb2.ReplayDeadLettersRequest, _context: object
    ) -> operations_pb2.ReplayDeadLettersResponse:
        """Hand given-up events to their handler once more; what fails again stays."""
        response = operations_pb2.ReplayDeadLettersResponse()
        after, ids = 0, request.dead_letter_ids
        # A few at a time: all of them together may be larger than memory.
        while letters := await dead_letters.following(self._database, ids, after=after, limit=REPLAYED_AT_ONCE):
            for letter in letters:
                if await self._replay(letter):
                    response.replayed_count += 1
                else:
                    response.failed_count += 1
            after = letters[-1].dead_letter_id
        return response

    async def _replay(self, letter: dead_letters.DeadLetter) -> bool:
        handle = self._replays.get(letter.consumer)
        if handle is None:
            log.warning("no such consumer", action="operations.unknown_consumer", consumer=letter.consumer)
            return False
        try:
            await inbox.handle_once(self._database, letter.consumer, [letter.event], handle)
            await dead_letters.forget(self._database, letter.dead_letter_id)
        except Exception as error:
            log.warning(
                "replay failed",
                action="operations.replay_failed",
                consumer=letter.consumer,
                event_id=letter.event.id,
                reason=dead_letters.reason_of(error),
                exc_info=None if isinstance(error, Fault) else error,
            )
            return False
        return True


def _shown(letter: dead_letters.Listed) -> operations_pb2.DeadLetter:
    shown = operations_pb2.DeadLetter(
        dead_letter_id=letter.dead_letter_id,
        consumer=letter.consumer,
        subject=letter.subject,
        event_id=letter.event_id,
        reason=letter.reason,
        message=letter.message,
        trace_id=letter.trace_id,
    )
    shown.create_time.FromDatetime(letter.create_time)
    return shown
