"""Requests of persons as records is asked them, and a search for what any table of sync still says of somebody."""

from iocedu.records.v1 import data_requests_pb2, data_requests_pb2_grpc, erasures_pb2, erasures_pb2_grpc

from chassis.testing import client
from tests.integration.sync.world import ADMINISTRATOR, SCHOOL_A, World
from tests.support.waiting import poll_until

ERASURE, OBJECTION = data_requests_pb2.DATA_REQUEST_KIND_ERASURE, data_requests_pb2.DATA_REQUEST_KIND_OBJECTION


async def grant(
    here: World,
    key: str,
    *,
    school: str = SCHOOL_A,
    kind: data_requests_pb2.DataRequestKind.ValueType = ERASURE,
) -> int:
    """Grant a request on a pupil, wait until sync has confirmed it, and give its number."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    stub: data_requests_pb2_grpc.DataRequestsServiceAsyncStub = data_requests_pb2_grpc.DataRequestsServiceStub(channel)
    filing = data_requests_pb2.FileDataRequestRequest(
        school=school, request_id=key, kind=kind, collection="pupils", key=key, filed_by="Mẹ", wish="Xóa"
    )
    number = (await stub.FileDataRequest(filing)).data_request.data_request_id
    decision = data_requests_pb2.DecideDataRequestRequest(
        school=school, data_request_id=number, granted=True, reason="Đúng"
    )
    await stub.DecideDataRequest(decision)

    async def confirmed() -> bool:
        async with here.records_database.connection() as connection:
            found = await connection.exec_driver_sql(
                "SELECT count(*) FROM erasure_confirmation WHERE service = 'sync' AND confirm_time IS NOT NULL"
                f" AND data_request_id = {number}"
            )
            return bool(found.scalar_one())

    await poll_until(confirmed)
    return number


async def lift(here: World, number: int, *, school: str = SCHOOL_A) -> None:
    """Lift what a request has restricted."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    stub: erasures_pb2_grpc.ErasuresServiceAsyncStub = erasures_pb2_grpc.ErasuresServiceStub(channel)
    request = erasures_pb2.LiftRestrictionRequest(school=school, data_request_id=number, reason="Rút")
    assert (await stub.LiftRestriction(request)).lifted_count


async def tables_naming(here: World, text: str) -> set[str]:
    """The tables of sync that hold a text somewhere in any column, be it text, JSON or bytes."""
    found = set()
    async with here.sync_database.connection() as reads:
        names = await reads.exec_driver_sql(
            "SELECT quote_ident(table_schema) || '.' || quote_ident(table_name) FROM information_schema.tables"
            " WHERE table_type = 'BASE TABLE'"
            " AND table_schema NOT IN ('pg_catalog', 'information_schema')"
        )
        for table in names.scalars():
            rows = await reads.exec_driver_sql(
                f"SELECT count(*) FROM {table} AS one WHERE strpos(one::text, $1) > 0 OR strpos(one::text, $2) > 0",
                (text, text.encode().hex()),
            )
            if rows.scalar_one():
                found.add(table.rpartition(".")[2])
    return found
