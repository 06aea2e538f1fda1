"""Scopes over a real broker: whole trees only, newest wins, nothing is lost when the broker restarts."""

import asyncio
import hashlib
from datetime import date

import pytest
from iocedu.chassis.v1 import scopes_pb2

from chassis.errors import Fault, Kind
from chassis.scopes import Scopes, chunked, publish_tree
from tests.support.waiting import poll_until, running

DAY = date(2026, 11, 2)


def _units(count, *, prefix="unit"):
    return [scopes_pb2.ScopeUnit(unit_id=n, name=f"{prefix} {n}") for n in range(1, count + 1)]


def _grant(subject, unit_id=0):
    return scopes_pb2.ScopeGrant(grant_id=1, subject=subject, role="keeper", unit_id=unit_id)


def _version(scopes):
    return scopes._tree.version if scopes._tree else None


async def test_before_the_first_tree_questions_are_unavailable(bus):
    """Neither an empty forest nor a hang: the caller may try again."""
    scopes = Scopes(bus)
    with pytest.raises(Fault) as refused:
        _ = scopes.tree
    assert (refused.value.kind, refused.value.reason) == (Kind.UNAVAILABLE, "UNAVAILABLE")
    with pytest.raises(LookupError):
        await scopes.check.ping()


async def test_a_published_tree_arrives_and_a_newer_one_replaces_it_without_a_poll(bus, monkeypatch):
    """Readers hold the whole old tree or the whole new one."""
    monkeypatch.setattr("chassis.scopes.POLL_SECONDS", 3600.0)
    scopes = Scopes(bus)
    assert await publish_tree(bus, chunked(_units(3), [_grant("an")]), 1)
    async with running(scopes.worker):
        await poll_until(lambda: _version(scopes) == 1)
        first = scopes.tree
        await scopes.check.ping()
        changed = asyncio.ensure_future(scopes.changed())
        assert await publish_tree(bus, chunked(_units(5), []), 2)
        await asyncio.wait_for(changed, 60)
    assert (len(scopes.tree), scopes.tree.may("an", {"keeper"}, 1, DAY)) == (5, False)
    assert (len(first), first.may("an", {"keeper"}, 1, DAY)) == (3, True)


async def test_a_large_tree_travels_in_chunks(bus):
    """A country's units fit, each chunk within the broker's limit."""
    chunks = chunked(_units(1300), [_grant(f"subject-{n}", n) for n in range(700)])
    assert [len(chunk.units) + len(chunk.grants) for chunk in chunks] == [500] * 4
    scopes = Scopes(bus)
    await publish_tree(bus, chunks, 1)
    assert await scopes.refresh()
    assert len(scopes.tree) == 1300
    assert scopes.tree.may("subject-699", {"keeper"}, 699, DAY)


async def test_chunks_stay_below_the_size_of_a_message(bus):
    """Long names and many codes make a chunk smaller, not too large."""
    chunks = chunked(_units(600, prefix="x" * 9_000), [])
    assert max(chunk.ByteSize() for chunk in chunks) <= 900_000
    assert sum(len(chunk.units) for chunk in chunks) == 600
    scopes = Scopes(bus)
    await publish_tree(bus, chunks, 1)
    assert await scopes.refresh()
    assert len(scopes.tree) == 600


async def test_an_empty_tree_is_a_tree(bus):
    """A fresh province has no units yet; its administrator may already come in."""
    scopes = Scopes(bus)
    await publish_tree(bus, chunked([], [_grant("an")]), 1)
    assert await scopes.refresh()
    assert scopes.tree.may("an", {"keeper"}, 0, DAY)


async def test_a_tree_that_does_not_add_up_is_not_taken(bus):
    """A chunk that is missing, or another than the head promised, leaves the old tree in place."""
    scopes = Scopes(bus)
    await publish_tree(bus, chunked(_units(3), []), 1)
    assert await scopes.refresh()
    bucket = await bus.key_value("scopes")
    (chunk,) = chunked(_units(9), [])
    payload = chunk.SerializeToString()
    head = scopes_pb2.ScopeHead(version=2, chunk_count=1, digest=hashlib.sha256(payload).hexdigest())
    await bucket.put("head", head.SerializeToString())
    assert not await scopes.refresh()
    await bucket.put("tree.2.0", payload + b"\x00")
    assert not await scopes.refresh()
    assert len(scopes.tree) == 3
    await bucket.put("tree.2.0", payload)
    assert await scopes.refresh()
    assert len(scopes.tree) == 9


async def test_an_older_tree_does_not_replace_a_newer_one(bus):
    """A slow replica does not undo a reform."""
    await publish_tree(bus, chunked(_units(5), []), 7)
    assert not await publish_tree(bus, chunked(_units(3), []), 6)
    scopes = Scopes(bus)
    await scopes.refresh()
    assert (scopes.tree.version, len(scopes.tree)) == (7, 5)


async def test_publishing_the_same_again_writes_nothing(bus):
    """A restart of the publisher is not an event."""
    chunks = chunked(_units(3), [])
    await publish_tree(bus, chunks, 1)
    bucket = await bus.key_value("scopes")
    before = (await bucket.get("head")).revision
    assert await publish_tree(bus, chunks, 1)
    assert (await bucket.get("head")).revision == before


async def test_publishers_side_by_side_leave_the_newest_whole(bus):
    """Whatever the order in which several replicas write."""
    await asyncio.gather(*(publish_tree(bus, chunked(_units(version), []), version) for version in (3, 1, 4, 2)))
    scopes = Scopes(bus)
    await scopes.refresh()
    assert (scopes.tree.version, len(scopes.tree)) == (4, 4)


async def test_old_chunks_are_removed_after_a_while(bus):
    """The bucket does not grow with every grant; a reader under way still finds the last versions."""
    for version in range(1, 7):
        await publish_tree(bus, chunked(_units(3), [_grant(f"subject-{version}")]), version)
    bucket = await bus.key_value("scopes")
    assert sorted(await bucket.keys()) == ["head", "tree.4.0", "tree.5.0", "tree.6.0"]


async def test_a_reader_finds_its_way_after_the_broker_was_restarted(nats_server, bus):
    """A watcher can stay silent then; a newer tree arrives all the same."""
    scopes = Scopes(bus)
    async with running(scopes.worker):
        await publish_tree(bus, chunked(_units(3), []), 1)
        await poll_until(lambda: _version(scopes) == 1)
        connections = bus.connections
        await nats_server.stop()
        await nats_server.start()
        await poll_until(lambda: bus.connections > connections)
        await publish_tree(bus, chunked(_units(4), []), 2)
        await poll_until(lambda: _version(scopes) == 2)
    assert len(scopes.tree) == 4


async def test_a_lost_bucket_is_filled_again_by_the_publisher(bus):
    """A broker that lost its store is no reason to restart the readers."""
    scopes = Scopes(bus)
    async with running(scopes.worker):
        await publish_tree(bus, chunked(_units(3), []), 1)
        await poll_until(lambda: _version(scopes) == 1)
        await bus.jetstream.delete_key_value("scopes")
        assert len(scopes.tree) == 3
        await publish_tree(bus, chunked(_units(6), []), 2)
        await poll_until(lambda: _version(scopes) == 2)
