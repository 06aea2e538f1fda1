"""What the tests of passing on push, and how they look at what becomes of it."""

from typing import Any

from iocedu.records.v1 import resources_pb2, results_pb2, unit_operations_pb2, unit_operations_pb2_grpc
from iocedu.sync.v1 import destinations_pb2, destinations_pb2_grpc, pushes_pb2
from iocedu.sync.v1 import reconciliation_pb2_grpc as reconciliation_grpc

from chassis.testing import client
from tests.integration.sync.world import ADMINISTRATOR, PROVINCE, SCHOOL_A, World, pupil, push
from tests.support.waiting import poll_until

YEAR = 2026
ACCEPTED, FAILED, WITHHELD = (
    pushes_pb2.PUSH_STATE_ACCEPTED,
    pushes_pb2.PUSH_STATE_FAILED,
    pushes_pb2.PUSH_STATE_WITHHELD,
)
QUICK = {"feed_seconds": 0.05, "ministry_calls_per_second": 1000.0, "webhook_private_addresses": True}


def school_row(school: str = SCHOOL_A, version: int = 1, name: str = "THCS Nguyễn Du") -> resources_pb2.Row:
    """A school's own record."""
    record = resources_pb2.School(school_year=YEAR, name=name, levels=["03"])
    return resources_pb2.Row(school=school, key=str(YEAR), version=version, school_profile=record)


def teacher(
    key: str = "GV1.2026", school: str = SCHOOL_A, version: int = 1, name: str = "Trần Thị Bình"
) -> resources_pb2.Row:
    """A teacher."""
    record = resources_pb2.StaffMember(school_year=YEAR, full_name=name, status="01")
    return resources_pb2.Row(school=school, key=key, version=version, staff_member=record)


def class_row(key: str = "6A.2026", school: str = SCHOOL_A, homeroom: str = "GV1.2026") -> resources_pb2.Row:
    """A class."""
    record = resources_pb2.SchoolClass(school_year=YEAR, name="6A", grade="06", level="03", homeroom_key=homeroom)
    return resources_pb2.Row(school=school, key=key, version=1, school_class=record)


def result(pupil_key: str, stage: str = "GK1", version: int = 1, **fields: Any) -> resources_pb2.Row:
    """A pupil's results."""
    record = results_pb2.Result(school_year=YEAR, pupil_key=pupil_key, stage=stage, regulation="TT22", **fields)
    return resources_pb2.Row(school=SCHOOL_A, key=f"{pupil_key}.{stage}", version=version, result=record)


def whole_school() -> list[resources_pb2.Row]:
    """Results first, the school's own record last: the wrong way round."""
    return [result("HS1.2026"), pupil("HS1.2026"), class_row(), teacher(), school_row()]


async def stub(here: World, subject: str = ADMINISTRATOR) -> "destinations_pb2_grpc.DestinationsServiceAsyncStub":
    """DestinationsService as a subject calls it."""
    channel = await here.stack.enter_async_context(client(here.sync_address, here.keys.mint(subject), language="vi"))
    made: destinations_pb2_grpc.DestinationsServiceAsyncStub = destinations_pb2_grpc.DestinationsServiceStub(channel)
    return made


async def comparer(here: World) -> "reconciliation_grpc.ReconciliationServiceAsyncStub":
    """ReconciliationService as the administrator calls it."""
    channel = await here.stack.enter_async_context(client(here.sync_address, here.keys.mint(ADMINISTRATOR)))
    made: reconciliation_grpc.ReconciliationServiceAsyncStub = reconciliation_grpc.ReconciliationServiceStub(channel)
    return made


async def pushed(here: World, batch: str, *rows: resources_pb2.Row, unit: str = PROVINCE) -> None:
    """Push rows, all of which must be taken."""
    outcome = (await (await here.sync()).PushRows(push(batch, *rows, unit=unit))).outcome
    assert outcome.accepted_count == len(rows), outcome


async def record(here: World, key: str, *, destination: str = "moet", school: str = SCHOOL_A) -> Any:
    """A record on its way; None: not noted yet."""
    request = destinations_pb2.ListPushedRecordsRequest(school=school, destination=destination, key=key)
    found = (await (await stub(here)).ListPushedRecords(request)).records
    return found[0] if found else None


async def in_state(here: World, key: str, state: int, *, reason: str = "") -> Any:
    """The record once it is in a state."""

    async def there() -> Any:
        found = await record(here, key)
        return found if found and found.state == state and found.reason == reason else None

    return await poll_until(there)


async def move(here: World, unit: str, parent: str, request_id: str) -> None:
    """Move a unit below another one from today on, and wait until sync knows."""
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    operations: unit_operations_pb2_grpc.UnitOperationsServiceAsyncStub = (
        unit_operations_pb2_grpc.UnitOperationsServiceStub(channel)
    )
    today = here.clock.today()
    asked = unit_operations_pb2.CreateUnitOperationRequest(request_id=request_id)
    asked.operation.effective_date, asked.operation.document = today.isoformat(), "NQ 12"
    asked.operation.move.unit, asked.operation.move.parent = unit, parent
    await operations.CreateUnitOperation(asked)
    above, below = (here.scopes.tree.resolve(one, today) for one in (parent, unit))
    assert above is not None
    await poll_until(lambda: below in here.scopes.tree.subtree(above, today))
