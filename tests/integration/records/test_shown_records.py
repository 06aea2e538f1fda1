"""Records that another service shows to someone: as that person may see them, and never without being written down."""

from typing import Any

import pytest
from iocedu.records.v1 import access_log_pb2, held_records_pb2, held_records_pb2_grpc

from chassis.errors import Fault, Kind
from chassis.identity import ServiceIdentity
from chassis.testing import client
from deploy.local.issuer import AUDIENCE, ISSUER
from tests.integration.records.asking import OBJECTION, ask, done
from tests.integration.records.scenes import ADMINISTRATOR, PROVINCE, SCHOOL_A, SCHOOL_B, Running, gone, pupil

OFFICER, CLERK = "can-bo@so", "van-thu@truong"


@pytest.fixture
async def known(records: Running) -> Running:
    """Pupils of two schools, one of them gone; an officer and a clerk of the first."""
    await records.grant(OFFICER, "officer", SCHOOL_A)
    await records.grant(CLERK, "clerk", SCHOOL_A)
    await records.apply(pupil("HS1"), pupil("HS2"), pupil("HS3", school=SCHOOL_B))
    await records.apply(gone("HS2", 2))
    return records


async def _shown(records: Running, subject: str, *, service: str = "reporting", **asked: Any) -> list[Any]:
    """What reporting is given for someone, of all three pupils."""
    identity = ServiceIdentity(service, records.keys.service_key(service), issuer=ISSUER, audience=AUDIENCE)
    channel = await records.stack.enter_async_context(
        client(records.address, records.keys.mint(subject), service_token=identity.token())
    )
    fields = {"method": "ListFigureRecords", "unit": SCHOOL_A, "collection": "pupils"} | asked
    request = held_records_pb2.ShowRecordsRequest(**fields)
    for school, key in ((SCHOOL_B, "HS3"), (SCHOOL_A, "HS2"), (SCHOOL_A, "HS1")):
        request.names.add(school=school, key=key)
    stub: Any = held_records_pb2_grpc.HeldRecordsServiceStub(channel)
    return list((await stub.ShowRecords(request)).shown)


async def test_a_record_is_shown_in_full_for_a_role_with_a_purpose_and_else_masked(known: Running):
    """Outside the unit and gone ones are left out, whatever the service asks for."""
    (full,) = await _shown(known, OFFICER, purpose="Rà soát")
    assert (full.place, full.record.row.key, full.record.masked) == (2, "HS1", False)
    assert full.record.row.pupil.birth_date == "2014-03-09"
    for subject, purpose in ((OFFICER, " "), (CLERK, "Rà soát")):
        (masked,) = await _shown(known, subject, purpose=purpose)
        assert (masked.record.row.pupil.birth_date, masked.record.masked) == ("2014", True)


async def test_each_look_is_in_the_log_with_its_purpose(known: Running):
    """Under the method the other service was asked by."""
    await _shown(known, OFFICER, purpose="Rà soát")
    stub = await known.access_log(ADMINISTRATOR)
    (look,) = (await stub.ListAccesses(access_log_pb2.ListAccessesRequest(unit=PROVINCE))).accesses
    assert (look.subject, look.method, look.collection) == (OFFICER, "ListFigureRecords", "pupils")
    assert (look.record_count, look.purpose, look.unmasked) == (1, "Rà soát", True)


async def test_only_services_that_show_them_are_given_records_to_show(known: Running):
    """Other services have ways of their own, people ask GetRecord."""
    assert await _shown(known, OFFICER, service="sync", purpose="Rà soát")
    with pytest.raises(Fault) as refused:
        await _shown(known, OFFICER, service="alerts", purpose="Rà soát")
    assert refused.value.kind is Kind.DENIED


async def test_a_service_is_given_restricted_records_only_where_it_asks_for_them(known: Running):
    """And told so of each; to someone they are never shown."""
    await done(known, await ask(known, OBJECTION, "HS1"))
    identity = ServiceIdentity("sync", known.keys.service_key("sync"), issuer=ISSUER, audience=AUDIENCE)
    channel = await known.stack.enter_async_context(
        client(known.address, identity.token(), service_token=identity.token())
    )
    stub: Any = held_records_pb2_grpc.HeldRecordsServiceStub(channel)
    names = [held_records_pb2.RecordName(school=SCHOOL_A, key=key) for key in ("HS1", "HS2")]
    names.append(held_records_pb2.RecordName(school=SCHOOL_B, key="HS3"))
    given = {}
    for wanted in (False, True):
        request = held_records_pb2.ReadRecordsRequest(collection="pupils", names=names, with_restricted=wanted)
        answer = await stub.ReadRecords(request)
        given[wanted] = [(one.record.row.key, one.restricted) for one in answer.held]
        assert [one.place for one in answer.gone] == [1]
    assert given == {False: [("HS3", False)], True: [("HS1", True), ("HS3", False)]}
    assert not await _shown(known, OFFICER, purpose="Rà soát")
