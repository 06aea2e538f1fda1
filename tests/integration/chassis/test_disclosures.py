"""What an answer may show of personal data is written down before it leaves."""

from contextlib import asynccontextmanager

import pytest
from iocedu.chassis.v1 import disclosures_pb2

from chassis.disclosures import EVENT, Disclosures, Shown
from chassis.errors import Fault
from chassis.scopes import ScopeAlias, ScopeEdge, ScopeGrant, Scopes, ScopeTree, ScopeUnit
from chassis.server import App, serving
from chassis.testing import FixedClock, Keys, client, serve_app
from tests.support.toy import toy_pb2, toy_pb2_grpc
from tests.support.toy.service import NAME, ToyServicer, toy_app

TREE = ScopeTree(
    [ScopeUnit(1), ScopeUnit(2, aliases=(ScopeAlias("toy:two"),), edges=(ScopeEdge(1),))],
    [ScopeGrant(1, "an", "keeper", 1)],
)


@pytest.fixture(scope="module")
def own_keys(tmp_path_factory):
    """An issuer and the services of these tests."""
    return Keys.create(tmp_path_factory.mktemp("keys"), ["toy"])


@asynccontextmanager
async def toy(own_keys, note):
    """A toy that notes what it shows, as `an` calls it."""
    app = toy_app(ToyServicer(), Scopes.of(TREE), note=note)
    async with (
        serve_app("toy", app, own_keys, clock=FixedClock()) as address,
        client(address, own_keys.token("an")) as channel,
    ):
        yield toy_pb2_grpc.ToyServiceStub(channel)


async def test_a_call_that_may_show_personal_data_leaves_one_entry_with_its_purpose(own_keys):
    """Who, what, on which unit, how many, why, and whether in full; one without the flag leaves none."""
    noted = []

    async def note(shown):
        noted.append(shown)

    async with toy(own_keys, note) as stub:
        await stub.LookAtPeople(toy_pb2.PeopleRequest(unit="toy:two", purpose=" Đối chiếu "))
        await stub.LookAtPeople(toy_pb2.PeopleRequest(unit="1"))
        await stub.Look(toy_pb2.LookRequest(unit="1"))

    assert [(one.subject, one.method, one.unit_id, one.record_count, one.purpose, one.unmasked) for one in noted] == [
        ("an", "LookAtPeople", 2, 2, "Đối chiếu", True),
        ("an", "LookAtPeople", 1, 2, "", False),
    ]
    assert all(one.trace_id for one in noted)


async def test_an_entry_of_its_own_is_enough_and_what_is_refused_shows_nothing(own_keys):
    """No second entry for a method that writes a fuller one, none where no answer leaves."""
    noted = []

    async def note(shown):
        noted.append(shown)

    async with toy(own_keys, note) as stub:
        await stub.LookAtPeople(toy_pb2.PeopleRequest(unit="1", act="write"))
        with pytest.raises(Fault):
            await stub.LookAtPeople(toy_pb2.PeopleRequest(unit="1", act="refuse"))
        with pytest.raises(Fault):
            await stub.LookAtPeople(toy_pb2.PeopleRequest(unit="0"))

    assert noted == []


async def test_a_stream_is_written_down_once_before_its_first_message(own_keys):
    """However many follow."""
    noted = []

    async def note(shown):
        noted.append(shown)

    async with toy(own_keys, note) as stub:
        seen = [len(noted) async for _ in stub.WatchPeople(toy_pb2.PeopleRequest(unit="1"))]

    assert seen == [1, 1]
    assert [one.method for one in noted] == ["WatchPeople"]


async def test_without_a_trace_there_is_no_answer(own_keys):
    """Where writing down fails, nothing is shown."""

    async def note(_shown):
        raise OSError("no disk")

    async with toy(own_keys, note) as stub:
        with pytest.raises(Fault) as refused:
            await stub.LookAtPeople(toy_pb2.PeopleRequest(unit="1"))
    assert refused.value.reason == "INTERNAL"


async def test_a_service_that_would_write_nothing_down_does_not_start(own_keys):
    """It is told at start which method asks for it."""
    servicers = [(toy_pb2_grpc.add_ToyServiceServicer_to_server, ToyServicer())]
    app = App(servicers=servicers, service_names=[NAME], scopes=Scopes.of(TREE))
    with pytest.raises(TypeError, match="LookAtPeople"):
        async with serving("toy", app, own_keys.settings("toy")):
            pytest.fail("it started")


async def test_what_is_told_is_durable_with_the_call(database_factory):
    """In the outbox, as the event that the keeper of the log takes."""
    database = await database_factory("chassis")
    disclosures, at = Disclosures(database), FixedClock().now()
    await disclosures.note(Shown(at, "an", "LookAtPeople", 2, 3, "Đối chiếu", unmasked=True, trace_id="0af7"))
    async with database.connection() as connection:
        ((event, payload),) = (await connection.exec_driver_sql("SELECT event, payload FROM outbox")).all()

    (told,) = disclosures_pb2.Disclosures.FromString(payload).disclosures
    assert event == EVENT
    assert (told.subject, told.method, told.unit_id, told.record_count, told.purpose, told.unmasked, told.trace_id) == (
        "an",
        "LookAtPeople",
        2,
        3,
        "Đối chiếu",
        True,
        "0af7",
    )
