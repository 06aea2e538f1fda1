"""One trace shows the whole way of a change, whatever carries it: gRPC, SQL, events."""

import secrets

import httpx
import pytest
from google.protobuf import json_format

from tests.e2e.world import PRIMARY_LIMIT, SCHOOL, VENDOR, World, ndjson, pupil, school_class
from tests.support.collector import Collector
from tests.support.waiting import poll_until

pytestmark = pytest.mark.e2e

PUSH = "iocedu.sync.v1.SyncService/PushDocument"
APPLY = "iocedu.records.v1.RecordsService/ApplyRows"
# From the push to the inbox; between two of them a trace may hold more, such as transactions and SQL.
WAY = [
    ("gateway", None),
    ("sync", PUSH),
    ("sync", APPLY),
    ("records", APPLY),
    ("records", "publish records-changed"),
    ("reporting", "handle records-changed"),
    ("reporting", "publish figures-changed"),
    ("alerts", "handle figures-changed"),
    ("alerts", "publish alerts-changed"),
    ("notify", "handle alerts-changed"),
]


async def test_one_trace_leads_from_the_push_to_the_inbox(world: World, collector: Collector) -> None:
    """Every part's span is below that of the part before it, in the trace the caller began."""
    trace_id = secrets.token_hex(16)
    rows = [school_class(SCHOOL, "TR"), *(pupil(SCHOOL, f"tr-{n}", "TR") for n in range(PRIMARY_LIMIT + 1))]

    answer = await world.http.post(
        f"/v1/units/{SCHOOL}/push",
        params={"batch.batch_id": trace_id, "batch.source": VENDOR},
        content=ndjson(json_format.MessageToDict(row, preserving_proto_field_name=True) for row in rows),
        headers={
            **world.bearer(VENDOR),
            "content-type": "application/x-ndjson",
            "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01",
        },
    )
    assert answer.status_code == httpx.codes.OK, answer.text
    lineage = await poll_until(lambda: collector.lineage(trace_id, "notify", "handle alerts-changed"))

    await poll_until(lambda: collector.lineage(trace_id, "notify", "handle alerts-changed")[0][0] == "gateway")
    lineage = collector.lineage(trace_id, "notify", "handle alerts-changed")
    steps = iter(lineage)
    for service, name in WAY:
        assert any(step[0] == service and name in (None, step[1]) for step in steps), (
            f"{service} {name} is missing or out of order in {lineage}"
        )


async def test_the_statements_of_a_push_are_spans_of_its_trace(world: World, collector: Collector) -> None:
    """SQL stands inside the spans of the services that ran it."""
    trace_id = secrets.token_hex(16)
    headers = {**world.bearer(VENDOR), "traceparent": f"00-{trace_id}-{secrets.token_hex(8)}-01"}

    await world.http.get(f"/v1/units/{SCHOOL}/connections", headers=headers)

    def statements() -> list[str]:
        return [span.name for span in collector.trace(trace_id) if span.service == "sync" and "SELECT" in span.name]

    assert await poll_until(statements)
