"""gRPC in: batches, streams and documents to the intake; questions to the store."""

import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from datetime import datetime
from typing import Any, Final
from uuid import uuid4

from iocedu.records.v1 import records_pb2
from iocedu.sync.v1 import sync_pb2, sync_pb2_grpc

from chassis.access import unknown_unit
from chassis.identity import caller
from chassis.paging import page_cursor, page_size, page_token
from chassis.request import current_request
from chassis.streams import envelope
from chassis.validation import field_violations, invalid
from services.sync.convert import answers
from services.sync.convert.full import declared
from services.sync.convert.profiles import DEFAULT
from services.sync.domain import documents, problems
from services.sync.domain.batches import Origin, digest_of
from services.sync.domain.collections import RECORDS
from services.sync.domain.connections import KINDS, State, window
from services.sync.domain.corrections import Correction
from services.sync.domain.masking import masked
from services.sync.domain.words import Text
from services.sync.store import batches, connections, quarantine
from services.sync.usecases import refusals, streams
from services.sync.usecases.batches import push_rows
from services.sync.usecases.corrections import correct_record
from services.sync.usecases.documents import Limits, push_document
from services.sync.usecases.intake import Intake
from services.sync.usecases.partner_connections import admitted, own_source
from services.sync.usecases.sandboxes import on_trial
from services.sync.usecases.settling import unit_name

_SOURCE: Final = re.compile(r"[a-z0-9][a-z0-9_.-]{0,63}", re.ASCII)
MOST_BATCH_ID: Final = 100
SEARCHED: Final = ("reason", "batch_id", "source", "field", "key")  # What quarantined rows can be asked for by.
_ALONE: Final = Text(
    "Chỉ ghi batch_count khi có declaration_id: không có mã đó thì một lô là toàn bộ.",
    "batch_count is said with a declaration_id only: without one the batch is everything.",
)
_NOT_ATOMIC: Final = Text(
    "Không dùng full_of cùng atomic. Hãy bỏ một trong hai.", "full_of does not go with atomic. Leave one of them out."
)
_NO_SCHOOL: Final = Text(
    "Không có trường này trong đơn vị của lô. Hãy ghi mã trường, ví dụ moet:49506001, và gửi lô cho trường đó hoặc đơn "
    "vị cấp trên.",
    "No such school lies in the batch's unit. Write the school's code, for example moet:49506001, and send the batch "
    "for that school or a unit above it.",
)
MOST_PAGE_BYTES: Final = 8_000_000  # A message carries 16 MB; one row is far smaller than the rest.


class SyncServicer(sync_pb2_grpc.SyncServiceServicer):
    """Answers `iocedu.sync.v1.SyncService`."""

    def __init__(self, intake: Intake, *, limits: Limits) -> None:
        self._intake = intake
        self._limits = limits

    async def PushRows(self, request: sync_pb2.PushRowsRequest, _context: Any) -> sync_pb2.PushRowsResponse:
        """Take a batch."""
        batch = request.batch
        batch.source = batch.source or _own_source()
        _check_source(batch.source)
        origin = await self._admitted(
            request.unit,
            batch.source,
            backfill=batch.backfill,
            validate_only=request.validate_only,
            atomic=request.atomic,
        )
        if batch.HasField("full_of"):
            origin = self._declaring(origin, batch.full_of, batch.batch_id, path="batch.full_of")
        # The same unit may be named by another of its codes when the batch is repeated; what is only looked at is the
        # batch that is sent in earnest after it.
        request.ClearField("unit")
        request.ClearField("validate_only")
        content = request.SerializeToString(deterministic=True)
        outcome = await push_rows(self._intake, origin, batch.batch_id, rows=request.rows, content=content)
        return sync_pb2.PushRowsResponse(outcome=answers.localized(outcome, _language()))

    async def StreamRows(
        self, request_iterator: AsyncIterator[sync_pb2.StreamRowsRequest], _context: Any
    ) -> AsyncIterator[sync_pb2.StreamRowsResponse]:
        """Take batches as a stream and acknowledge each."""
        first = await anext(request_iterator)
        if first.WhichOneof("event") != "open":
            raise refusals.out_of_turn()
        opened = first.open
        source = opened.source or _own_source()
        _check_source(source)
        origin = await self._admitted(opened.unit, source, backfill=opened.backfill)
        acks = streams.acknowledge(self._intake, origin, _batches(request_iterator), declare=self._declared)
        async for response in envelope(sync_pb2.StreamRowsResponse, _localized(acks, _language()), position=""):
            yield response

    async def PushDocument(
        self, request_iterator: AsyncIterator[sync_pb2.PushDocumentRequest], _context: Any
    ) -> sync_pb2.PushDocumentResponse:
        """Take a document in parts."""
        first = await anext(request_iterator)
        batch, profile = first.batch, first.profile or DEFAULT
        batch.source = batch.source or _own_source()
        _check_batch(batch)
        if profile not in self._intake.profiles:
            raise refusals.unknown_profile(profile, sorted(self._intake.profiles))
        kind = documents.kind_of(first.content.content_type)
        if not kind:
            raise refusals.unsupported(first.content.content_type)
        origin = await self._admitted(
            first.unit,
            batch.source,
            backfill=batch.backfill,
            profile=profile,
            validate_only=first.validate_only,
            atomic=first.atomic,
        )
        if batch.HasField("full_of"):
            origin = self._declaring(origin, batch.full_of, batch.batch_id, path="batch.full_of")
        batch_id, outcome = await push_document(
            self._intake,
            origin,
            batch.batch_id,
            kind=kind,
            parts=_parts(first, request_iterator),
            limits=self._limits,
        )
        return sync_pb2.PushDocumentResponse(batch_id=batch_id, outcome=answers.localized(outcome, _language()))

    async def UpdateRecord(self, request: sync_pb2.UpdateRecordRequest, _context: Any) -> sync_pb2.UpdateRecordResponse:
        """Correct a record by hand."""
        if not request.update_mask.paths:
            raise refusals.empty_mask()
        correction = self._correction(request)
        origin = self._origin(request.school, "", backfill=False)
        state = await correct_record(self._intake, origin, correction, given=request.row)
        named = records_pb2.GetRecordRequest(collection=request.collection, school=request.school, key=request.key)
        record = (await self._intake.records.get(named)).record
        return sync_pb2.UpdateRecordResponse(state=state.value, record=record)  # type: ignore[arg-type]  # the enum's number

    def _correction(self, request: sync_pb2.UpdateRecordRequest) -> Correction:
        """What is asked, known again whichever of its codes names the school, and whether it is in earnest or not."""
        school_id, told = self._unit_id(request.school), sync_pb2.UpdateRecordRequest()
        told.CopyFrom(request)
        for name in ("school", "request_id", "validate_only"):
            told.ClearField(name)
        return Correction(
            school=request.school,
            collection=request.collection,
            key=request.key,
            paths=request.update_mask.paths,
            etag=request.etag,
            reason=request.reason,
            request_id=f"{school_id}/{request.request_id or uuid4().hex}",
            digest=digest_of(told.SerializeToString(deterministic=True)),
            validate_only=request.validate_only,
        )

    async def GetBatch(self, request: sync_pb2.GetBatchRequest, _context: Any) -> sync_pb2.GetBatchResponse:
        """Get what became of a batch."""
        unit_id, source = self._unit_id(request.unit), await self._shown_source(request.source)
        async with self._intake.database.connection() as reads:
            found = [] if source is None else await batches.by_id(reads, unit_id, request.batch_id, source)
        if not found:
            raise refusals.unknown_batch(request.batch_id)
        if len(found) > 1:
            raise refusals.several_sources(sorted(one.key.source for one in found))
        (stored,) = found
        return sync_pb2.GetBatchResponse(
            batch=sync_pb2.Batch(batch_id=stored.key.batch_id, source=stored.key.source, backfill=stored.backfill),
            outcome=answers.localized(sync_pb2.Outcome.FromString(stored.outcome), _language()),
            create_time=answers.timestamp(stored.create_time),
        )

    async def ListQuarantinedRows(
        self, request: sync_pb2.ListQuarantinedRowsRequest, _context: Any
    ) -> sync_pb2.ListQuarantinedRowsResponse:
        """List rows that were refused or held, newest first, personal fields masked."""
        unit_id, size, cursor = self._unit_id(request.unit), page_size(request.page_size, 50), page_cursor(request)
        source = await self._shown_source(request.source)
        if source is None:
            return sync_pb2.ListQuarantinedRowsResponse()
        places = self._intake.places_below(unit_id)
        async with self._intake.database.connection() as reads:
            rows, more = await quarantine.listed(
                reads,
                places,
                like={name: getattr(request, name) for name in SEARCHED} | {"source": source},
                before=cursor[0] if cursor else None,
                most=size,
                most_bytes=MOST_PAGE_BYTES,
            )
        language = _language()
        response, filled = sync_pb2.ListQuarantinedRowsResponse(), 0
        for row in rows:
            content = masked(row["content"], self._intake.profiles[row["profile"]].shown).told(language)
            response.rows.append(answers.quarantined_row(row, content=content, language=language))
            filled += response.rows[-1].ByteSize()
            if filled >= MOST_PAGE_BYTES:  # A masked row may be longer than the row.
                break
        if more or len(response.rows) < len(rows):
            response.next_page_token = page_token(request, [response.rows[-1].quarantined_row_id])
        return response

    async def ListConnections(
        self, request: sync_pb2.ListConnectionsRequest, _context: Any
    ) -> sync_pb2.ListConnectionsResponse:
        """List when each school below a unit last sent what, worst first."""
        unit_id, size, cursor = self._unit_id(request.unit), page_size(request.page_size, 100), page_cursor(request)
        tree, now = self._intake.scopes.tree, self._intake.clock.now()
        below = (tree.unit(one) for one in tree.subtree(unit_id, self._intake.clock.today()))
        async with self._intake.database.connection() as reads:
            found = await connections.listed(
                reads,
                [unit.unit_id for unit in below if unit is not None and unit.kind in KINDS],
                windows=[window(State(state), now) for state in request.states if state],
                after=(datetime.fromisoformat(cursor[0]) if cursor[0] else None, cursor[1]) if cursor else None,
                most=size + 1,
            )
        response = sync_pb2.ListConnectionsResponse(
            connections=[answers.connection(one, name=unit_name(tree, one.school_id), now=now) for one in found[:size]]
        )
        if len(found) > size:
            last = found[size - 1]
            instant = last.last_accept_time.isoformat() if last.last_accept_time else ""
            response.next_page_token = page_token(request, [instant, last.school_id])
        return response

    def _declared(self, batch: sync_pb2.StreamBatch, origin: Origin) -> Origin:
        if not batch.HasField("full_of"):
            return origin
        return self._declaring(origin, batch.full_of, batch.batch_id, path="batch.full_of")

    def _declaring(self, origin: Origin, message: sync_pb2.FullOf, batch_id: str, *, path: str) -> Origin:
        """The same with what a batch declares; raises INVALID_FIELD."""
        if found := field_violations(message):
            raise invalid([replace(one, field=f"{path}.{one.field}") for one in found])
        if message.batch_count and not message.declaration_id:
            raise refusals.not_declarable(f"{path}.batch_count", _ALONE)
        if origin.atomic:
            raise refusals.not_declarable(path, _NOT_ATOMIC)
        if origin.records is not None and RECORDS[message.collection] not in origin.records:
            # Its rows would be refused one by one; but a declaration reaches all that the source has.
            raise refusals.not_declarable(
                f"{path}.collection", problems.collection_not_connected(message.collection).text
            )
        tree, today = self._intake.scopes.tree, self._intake.clock.today()
        school = tree.unit(tree.resolve(message.school, today) or 0)
        if school is None or school.kind not in KINDS or school.unit_id not in tree.subtree(origin.unit_id, today):
            raise refusals.not_declarable(f"{path}.school", _NO_SCHOOL)
        return replace(origin, full_of=declared(message, school.unit_id, batch_id=batch_id))

    async def _admitted(self, unit: str, source: str, *, backfill: bool, profile: str = DEFAULT, **how: Any) -> Origin:
        """Where rows come from, narrowed to what their sender is connected for."""
        origin = self._origin(unit, source, backfill=backfill, profile=profile, **how)
        origin = await admitted(self._intake, origin, caller().subject)
        return await on_trial(self._intake, origin, self_signed=caller().roles is not None)

    async def _shown_source(self, asked: str) -> str | None:
        """The source that is asked about, of a partner its own; None: another's, of which it is shown nothing."""
        own = await own_source(self._intake, caller().subject)
        return None if own and asked not in {"", own} else own or asked

    def _origin(self, unit: str, source: str, *, backfill: bool, profile: str = DEFAULT, **how: Any) -> Origin:
        return Origin(unit, self._unit_id(unit), source, backfill, profile, **how)

    def _unit_id(self, unit: str) -> int:
        unit_id = self._intake.scopes.tree.resolve(unit, self._intake.clock.today())
        if unit_id is None:
            raise unknown_unit(unit)
        return unit_id


async def _localized(acks: streams.Acks, language: str) -> AsyncGenerator[tuple[str, sync_pb2.StreamAck]]:
    async with aclosing(acks) as given:
        async for batch_id, ack in given:
            outcome = answers.localized(ack.outcome, language)
            yield batch_id, ack if outcome is ack.outcome else sync_pb2.StreamAck(batch_id=batch_id, outcome=outcome)


def _language() -> str:
    """What the caller reads."""
    request = current_request()
    return request.language if request else "vi"


async def _batches(messages: AsyncIterator[sync_pb2.StreamRowsRequest]) -> AsyncIterator[sync_pb2.StreamBatch]:
    async for message in messages:
        if message.WhichOneof("event") != "batch":
            raise refusals.out_of_turn()
        yield message.batch


async def _parts(
    first: sync_pb2.PushDocumentRequest, others: AsyncIterator[sync_pb2.PushDocumentRequest]
) -> AsyncIterator[bytes]:
    yield first.content.data
    async for message in others:
        yield message.content.data


def _own_source() -> str:
    """The source of who names none: a partner that signs its own tokens is its own; empty: it must be named."""
    known = caller()
    if known.roles is None:
        return ""
    return known.subject


def _check_source(source: str) -> None:
    """Only a partner that signs its own tokens may leave the source out."""
    if not _SOURCE.fullmatch(source):
        raise refusals.invalid(
            "batch.source",
            vi="Thiếu mã nguồn hoặc mã không hợp lệ. Hãy thêm vào địa chỉ mã phần mềm gửi, ví dụ batch.source=vnedu.",
            en="The source is missing or malformed: add batch.source=<code> to the address, e.g. batch.source=vnedu.",
        )


def _check_batch(batch: sync_pb2.Batch) -> None:
    """What names a document's batch comes from a query string, with words of our own for what is missing."""
    _check_source(batch.source)
    if len(batch.batch_id) > MOST_BATCH_ID:
        raise refusals.invalid(
            "batch.batch_id",
            vi=f"Mã lô batch.batch_id dài quá {MOST_BATCH_ID} ký tự.",
            en=f"The batch id is longer than {MOST_BATCH_ID} characters.",
        )
