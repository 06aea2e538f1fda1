"""What people do with alerts: close, open again, comment, silence; and everything that happened to one."""

from datetime import UTC
from typing import Any

from iocedu.alerts.v1 import alerts_pb2, handling_pb2, handling_pb2_grpc

from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from services.alerts import store, usecases
from services.alerts.convert import UnitName, instant, step_message, whole_alert_message
from services.alerts.domain import Alert, Resolution
from services.alerts.domain.silences import Silence
from services.alerts.servicer.desk import Desk
from services.alerts.usecases.refusals import unknown_alert


class HandlingServicer(handling_pb2_grpc.HandlingServiceServicer):
    """Serves `iocedu.alerts.v1.HandlingService`."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk

    async def ResolveAlert(
        self, request: handling_pb2.ResolveAlertRequest, _context: Any
    ) -> handling_pb2.ResolveAlertResponse:
        """Close an alert by hand."""
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.transaction() as connection:
            alert = await usecases.resolve_alert(
                connection,
                request.alert_id,
                lies_below=below.__contains__,
                by=caller().subject,
                resolution=Resolution(request.resolution),
                note=request.note,
                etag=request.etag,
                moment=self._desk.moment(),
            )
        return handling_pb2.ResolveAlertResponse(alert=self._shown(alert))

    async def ReopenAlert(
        self, request: handling_pb2.ReopenAlertRequest, _context: Any
    ) -> handling_pb2.ReopenAlertResponse:
        """Open an alert again."""
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.transaction() as connection:
            alert = await usecases.reopen_alert(
                connection,
                request.alert_id,
                lies_below=below.__contains__,
                by=caller().subject,
                note=request.note,
                moment=self._desk.moment(),
            )
        return handling_pb2.ReopenAlertResponse(alert=self._shown(alert))

    async def CommentAlert(
        self, request: handling_pb2.CommentAlertRequest, _context: Any
    ) -> handling_pb2.CommentAlertResponse:
        """Write something about an alert."""
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.transaction() as connection:
            alert = await usecases.comment_alert(
                connection,
                request.alert_id,
                lies_below=below.__contains__,
                by=caller().subject,
                text=request.text,
                moment=self._desk.moment(),
            )
        return handling_pb2.CommentAlertResponse(alert=self._shown(alert))

    async def ListAlertSteps(
        self, request: handling_pb2.ListAlertStepsRequest, _context: Any
    ) -> handling_pb2.ListAlertStepsResponse:
        """List everything that happened to an alert, oldest first."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self._desk.database.connection() as connection:
            alert = self._desk.visible(await store.find_alert(connection, request.alert_id), request.unit)
            if alert is None:
                raise unknown_alert(request.alert_id)
            after = int(cursor[0]) if cursor else 0
            steps = await store.list_steps(connection, request.alert_id, after=after, limit=size + 1)
        response = handling_pb2.ListAlertStepsResponse(
            steps=[step_message(step, number) for number, step in steps[:size]]
        )
        if len(steps) > size:
            response.next_page_token = page_token(request, [steps[size - 1][0]])
        return response

    async def CreateSilence(
        self, request: handling_pb2.CreateSilenceRequest, _context: Any
    ) -> handling_pb2.CreateSilenceResponse:
        """Silence alerts below a unit for a time."""
        moment, unit_id = self._desk.moment(), self._desk.unit_id(request.unit)
        wanted = Silence(
            silence_id=0,
            unit_id=unit_id,
            rule=request.rule,
            family=request.family,
            subject=request.subject,
            start_time=instant(request.start_time) if request.HasField("start_time") else moment.now,
            end_time=instant(request.end_time),
            reason=request.reason,
            created_by=caller().subject,
            create_time=moment.now,
        )
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.transaction() as connection:
            silence, covered = await usecases.create_silence(connection, wanted, moment, below=below)
        self._desk.tail.wake()
        return handling_pb2.CreateSilenceResponse(
            silence=silence_message(silence, self._desk.unit_name), covered_count=covered
        )

    async def EndSilence(
        self, request: handling_pb2.EndSilenceRequest, _context: Any
    ) -> handling_pb2.EndSilenceResponse:
        """End a silence before its time; the timer tells what it held back."""
        below = self._desk.subtree(request.unit)()
        async with self._desk.database.transaction() as connection:
            silence = await usecases.end_silence(
                connection,
                request.silence_id,
                lies_below=below.__contains__,
                by=caller().subject,
                moment=self._desk.moment(),
            )
        return handling_pb2.EndSilenceResponse(silence=silence_message(silence, self._desk.unit_name))

    async def ListSilences(
        self, request: handling_pb2.ListSilencesRequest, _context: Any
    ) -> handling_pb2.ListSilencesResponse:
        """List silences of a unit and of what lies below, newest first, to each those he or she may see."""
        size, cursor = page_size(request.page_size), page_cursor(request)
        async with self._desk.database.connection() as connection:
            silences = await store.list_silences(
                connection,
                self._desk.subtree(request.unit)(),
                hidden_kinds=self._desk.hidden_kinds(request.unit),
                ending_after=None if request.past else self._desk.clock.now(),
                below=int(cursor[0]) if cursor else None,
                limit=size + 1,
            )
        response = handling_pb2.ListSilencesResponse(
            silences=[silence_message(one, self._desk.unit_name) for one in silences[:size]]
        )
        if len(silences) > size:
            response.next_page_token = page_token(request, [silences[size - 1].silence_id])
        return response

    def _shown(self, alert: Alert) -> alerts_pb2.Alert:
        """The alert after its change, which those who watch are shown too."""
        self._desk.tail.wake()
        return whole_alert_message(alert, self._desk.unit_name)


def silence_message(silence: Silence, unit_name: UnitName) -> handling_pb2.Silence:
    """A silence as the contract shows it."""
    message = handling_pb2.Silence(
        silence_id=silence.silence_id,
        unit_id=silence.unit_id,
        unit_name=unit_name(silence.unit_id),
        rule=silence.rule,
        family=silence.family,
        subject=silence.subject,
        reason=silence.reason,
        created_by=silence.created_by,
        ended_by=silence.ended_by,
    )
    for name in ("start_time", "end_time", "create_time"):
        getattr(message, name).FromDatetime(getattr(silence, name).astimezone(UTC))
    return message
