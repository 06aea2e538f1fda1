"""Dead letters of a service are for administrators of everything: an event may hold any school's data."""

import pytest
from iocedu.chassis.v1 import operations_pb2, operations_pb2_grpc

from chassis.errors import Fault
from chassis.testing import client
from tests.integration.records.scenes import ADMINISTRATOR, PROVINCE, SCHOOL_A, Running


@pytest.mark.parametrize(
    ("method", "request_"),
    [
        ("ListDeadLetters", operations_pb2.ListDeadLettersRequest()),
        ("ReplayDeadLetters", operations_pb2.ReplayDeadLettersRequest(dead_letter_ids=[1])),
    ],
)
async def test_an_administrator_of_one_unit_neither_sees_nor_replays_them(records: Running, method: str, request_):
    """Not even of the unit above all others; whoever holds the role on every unit may."""
    for unit in (SCHOOL_A, PROVINCE):
        subject = f"admin-{unit}"
        await records.grant(subject, "administrator", unit)
        async with client(records.address, records.keys.mint(subject)) as channel:
            with pytest.raises(Fault) as refused:
                await getattr(operations_pb2_grpc.OperationsServiceStub(channel), method)(request_, timeout=10)
        assert refused.value.reason == "NO_GRANT"
    async with client(records.address, records.keys.mint(ADMINISTRATOR)) as channel:
        await getattr(operations_pb2_grpc.OperationsServiceStub(channel), method)(request_, timeout=10)
