"""A sandbox is filled by the normal push, counts nowhere, can be emptied, and shows what a client still does wrong."""

from collections.abc import Sequence

import pytest
from iocedu.records.v1 import records_pb2, records_pb2_grpc, resources_pb2, sandboxes_pb2, sandboxes_pb2_grpc
from iocedu.sync.v1 import (
    conformance_pb2,
    imports_pb2,
    partner_sandboxes_pb2,
    partners_pb2_grpc,
    sync_pb2,
)

from chassis.errors import Fault
from chassis.testing import client
from services.sync.domain.connections import KINDS
from services.sync.usecases.connections import follow_tree
from tests.integration.sync.files import desk, held_by, parts, pupils, workbook
from tests.integration.sync.test_full import DONE, full
from tests.integration.sync.test_partners import becomes, pushing, registered, stub
from tests.integration.sync.withholding import grant, tables_naming
from tests.integration.sync.world import (
    ACCEPTED,
    ADMINISTRATOR,
    PROVINCE,
    REJECTED,
    SCHOOL_A,
    STALE,
    UNCHANGED,
    World,
    document,
    moet_pupil,
    ndjson,
    pupil,
    push,
)
from tests.support.signing import Signer
from tests.support.waiting import poll_until


async def opening(
    own: "partners_pb2_grpc.PartnersServiceAsyncStub",
) -> partner_sandboxes_pb2.OpenSandboxResponse | None:
    """What opening answers; nothing while records, which makes the schools, was not yet told of the partner's key."""
    try:
        return await own.OpenSandbox(partner_sandboxes_pb2.OpenSandboxRequest(partner_id="edusoft"))
    except Fault as fault:
        if fault.reason != "INVALID_TOKEN":
            raise
        return None


async def opened(here: World) -> tuple[Signer, str]:
    """A partner with a sandbox that it may push into, and the alias of its first school."""
    signer = await registered(here)
    await poll_until(becomes(here, signer, "OK"))
    own = await stub(here, token=signer.token())
    answer = await poll_until(lambda: opening(own))
    again = await own.OpenSandbox(partner_sandboxes_pb2.OpenSandboxRequest(partner_id="edusoft"))
    assert again.sandbox.unit_id == answer.sandbox.unit_id, "opening twice opens one"
    assert again.sandbox.schools == answer.sandbox.schools
    assert all(one.name for one in answer.sandbox.schools), "named before the tree of units has brought them"
    school = answer.sandbox.schools[0].alias
    await poll_until(lambda: here.scopes.tree.resolve(school, here.clock.today()))
    await poll_until(lambda: here.scopes.tree.grants_of("edusoft", here.clock.today()))
    return signer, school


async def pushed(here: World, signer: Signer, batch_id: str, *rows: resources_pb2.Row) -> Sequence[int]:
    """States of rows pushed into the first school of the sandbox."""
    request = push(batch_id, *rows, unit=rows[0].school, source="")
    return list((await (await pushing(here, signer.token())).PushRows(request)).outcome.states)


async def findings(here: World, signer: Signer) -> dict[str, conformance_pb2.ConformanceFinding]:
    """The conformance report by requirement."""
    own = await stub(here, token=signer.token())
    answer = await own.CheckConformance(conformance_pb2.CheckConformanceRequest(partner_id="edusoft"))
    return {one.requirement: one for one in answer.findings}


async def test_a_sandbox_is_emptied_and_filled_again_from_version_one(here: World) -> None:
    """The same batches under the same ids are new after a reset; rows, batches and quarantined rows were gone."""
    signer, school = await opened(here)
    rows = pupil("HS1", 5, school=school), pupil("HS2", school=school, birth_date="x")
    assert await pushed(here, signer, "b1", *rows) == [ACCEPTED, REJECTED]
    assert await pushed(here, signer, "b2", pupil("HS1", 4, school=school)) == [STALE]
    own = await stub(here, token=signer.token())
    emptied = await own.ResetSandbox(partner_sandboxes_pb2.ResetSandboxRequest(partner_id="edusoft"))
    assert (emptied.removed_count, emptied.sandbox.reset_count) == (1, 1)
    assert [await here.count(table) for table in ("batch", "quarantined_row", "sandbox_push")] == [0, 0, 0]
    assert [await here.count(table, of="records") for table in ("pupil", "record_history", "feed")] == [0, 0, 0]
    assert await pushed(here, signer, "b1", *rows) == [ACCEPTED, REJECTED], "answered anew, not remembered"
    assert await pushed(here, signer, "b3", pupil("HS3", 1, school=school)) == [ACCEPTED]
    assert emptied.sandbox.schools[0].alias == school


async def test_no_list_of_every_unit_shows_a_sandbox(here: World) -> None:
    """Refused rows and files; who names the school sees them. What no school is known for is listed for every unit."""
    signer, school = await opened(here)
    assert await pushed(here, signer, "b1", pupil("HS1", school=school, birth_date="x")) == [REJECTED]
    vendor = await here.sync()
    await vendor.PushRows(push("b2", pupil("HS2", school="moet:0"), unit=PROVINCE))
    sent = await (await desk(here, signer.subject)).CreateImport(parts(workbook(("6A", pupils(1))), unit=school))
    administrator, files = await here.sync(ADMINISTRATOR), await desk(here, ADMINISTRATOR)

    async def refused(unit: str) -> list[str]:
        rows = (await administrator.ListQuarantinedRows(sync_pb2.ListQuarantinedRowsRequest(unit=unit))).rows
        return [row.problem.key for row in rows]

    async def carried(unit: str) -> list[int]:
        return [one.import_id for one in (await files.ListImports(imports_pb2.ListImportsRequest(unit=unit))).imports]

    assert await refused("0") == ["HS2"]
    assert await carried("0") == []
    assert "HS1" in await refused(school)
    assert await carried(school) == [held_by(sent).import_id]


async def test_what_is_in_a_sandbox_is_in_no_feed_and_tells_nobody(here: World) -> None:
    """Neither the change feed nor an event nor a school's connection knows of it; a real push beside it is told."""
    signer, school = await opened(here)
    schools = len([unit for unit in here.scopes.tree.units(here.clock.today()) if unit.kind in KINDS])
    await follow_tree(await here.intake())
    connections = await here.count("connection")
    assert connections == schools - 2, "nobody waits for the two of the sandbox or lists them"
    assert await pushed(here, signer, "b1", pupil("HS1", school=school)) == [ACCEPTED]
    content = ndjson([moet_pupil("7", TRUONG_ID=school.removeprefix("moet:"))])
    stored = await (await pushing(here, signer.token())).PushDocument(document(content, unit=school, source=""))
    assert list(stored.outcome.states) == [ACCEPTED], "rows in the ministry's names find the school, too"
    await (await here.sync()).PushRows(push("real", pupil("HS9")))
    channel = await here.stack.enter_async_context(client(here.records_address, here.keys.mint(ADMINISTRATOR)))
    records: records_pb2_grpc.RecordsServiceAsyncStub = records_pb2_grpc.RecordsServiceStub(channel)

    async def told() -> list[str]:
        answer = await records.ListChanges(records_pb2.ListChangesRequest(unit="0"))
        return [one.row.key for one in answer.changes]

    await poll_until(told)
    assert await told() == ["HS9"]
    assert await here.count("connection") == connections
    assert (await here.record("HS1", school=school)).source == "edusoft", "yet it is there to be looked at"


async def test_who_is_erased_is_named_by_nothing_that_is_judged(here: World) -> None:
    """Should real people have got into a sandbox; what came of others stays."""
    signer, school = await opened(here)
    assert await pushed(here, signer, "b1", pupil("HS1", school=school)) == [ACCEPTED]
    assert await pushed(here, signer, "b2", pupil("HS2", school=school)) == [ACCEPTED]
    assert "sandbox_push" in await tables_naming(here, "HS1")
    await grant(here, "HS1", school=school)
    assert await tables_naming(here, "HS1") == set()
    assert await here.count("sandbox_push") == 1


async def test_no_real_school_can_be_emptied(here: World) -> None:
    """Neither through a partner without a sandbox nor by records itself, which knows what it made."""
    await registered(here)
    await (await here.sync()).PushRows(push("real", pupil("HS9")))
    department = await stub(here)
    with pytest.raises(Fault) as refused:
        await department.ResetSandbox(partner_sandboxes_pb2.ResetSandboxRequest(partner_id="edusoft"))
    assert refused.value.reason == "NO_SANDBOX"
    service = here.keys.service_key("sync")
    assert service.exists()
    async with client(here.records_address, here.keys.mint(ADMINISTRATOR)) as channel:
        sandboxes: sandboxes_pb2_grpc.SandboxesServiceAsyncStub = sandboxes_pb2_grpc.SandboxesServiceStub(channel)
        with pytest.raises(Fault) as refused:
            await sandboxes.ResetSandbox(sandboxes_pb2.ResetSandboxRequest(subject="edusoft"))
    assert refused.value.reason == "NOT_ALLOWED", "no person may, whatever role"
    assert (await here.record("HS9", school=SCHOOL_A)).row.version == 1


async def test_a_conformance_report_names_what_is_wrong_shown_and_missing(here: World) -> None:
    """Each requirement is passed, failed with batch, row and field, or not shown yet; a reset begins anew."""
    signer, school = await opened(here)
    assert (await findings(here, signer))["repeats_batches"].state == conformance_pb2.CONFORMANCE_STATE_NOT_SHOWN
    first = pupil("HS1", 2, school=school), pupil("HS2", school=school, birth_date="x")
    await pushed(here, signer, "b1", *first)
    await pushed(here, signer, "b1", *first)
    assert await pushed(here, signer, "b2", pupil("HS1", 1, school=school, full_name="Khác")) == [STALE]
    assert await pushed(here, signer, "b3", pupil("HS1", 3, school=school, full_name="Khác")) == [ACCEPTED]
    gone = resources_pb2.Row(school=school, key="HS1", version=4, deleted=True, pupil=first[0].pupil)
    assert await pushed(here, signer, "b4", gone) == [ACCEPTED]
    with pytest.raises(Fault):
        await pushed(here, signer, "b4", pupil("HS5", school=school))
    found = await findings(here, signer)
    passed = {name for name, one in found.items() if one.state == conformance_pb2.CONFORMANCE_STATE_PASSED}
    assert {"signs_itself", "repeats_batches", "versions_rise", "handles_stale", "sends_deletions"} <= passed
    failed = {name for name, one in found.items() if one.state == conformance_pb2.CONFORMANCE_STATE_FAILED}
    assert failed == {"one_id_one_batch", "corrects_rejected"}
    (evidence,) = found["corrects_rejected"].evidence
    assert (evidence.batch_id, evidence.row_index, evidence.key, evidence.field, evidence.seen) == (
        "b1",
        1,
        "HS2",
        "pupil.birth_date",
        "INVALID_DATE",
    )
    assert {one.seen for one in found["all_collections"].evidence} == {
        "profiles",
        "staff",
        "classes",
        "attendance",
        "results",
    }
    assert await pushed(here, signer, "b5", pupil("HS2", school=school)) == [ACCEPTED]
    assert (await findings(here, signer))["corrects_rejected"].state == conformance_pb2.CONFORMANCE_STATE_PASSED
    own = await stub(here, token=signer.token())
    await own.ResetSandbox(partner_sandboxes_pb2.ResetSandboxRequest(partner_id="edusoft"))
    assert (await findings(here, signer))["one_id_one_batch"].state == conformance_pb2.CONFORMANCE_STATE_NOT_SHOWN
    assert await pushed(here, signer, "b6", pupil("HS2", school=school)) == [ACCEPTED]
    assert await pushed(here, signer, "b7", pupil("HS2", school=school)) == [UNCHANGED]


async def test_a_declaration_is_new_after_a_reset_and_is_judged_as_telling_deletions(here: World) -> None:
    """What follows from it is no push of the client's; emptied, neither service remembers what was told completely."""
    signer, school = await opened(here)

    async def declared() -> tuple[int, list[str]]:
        everything = full(5, school=school)
        request = push("all", pupil("HS1", school=school), unit=school, source="", full_of=everything)
        outcome = (await (await pushing(here, signer.token())).PushRows(request)).outcome
        return outcome.full.state, list(outcome.full.disappeared_keys)

    both = pupil("HS1", school=school), pupil("HS2", school=school)
    assert await pushed(here, signer, "b1", *both) == [ACCEPTED, ACCEPTED]
    assert await declared() == (DONE, ["HS2"])
    assert await pushed(here, signer, "b2", pupil("HS3", 4, school=school)) == [STALE]
    own = await stub(here, token=signer.token())
    report = await own.CheckConformance(conformance_pb2.CheckConformanceRequest(partner_id="edusoft"))
    assert report.push_count == 3
    found = {one.requirement: one for one in report.findings}
    assert [(one.key, one.seen) for one in found["sends_deletions"].evidence] == [("HS2", "DISAPPEARED")]
    (declared_,) = found["declares_everything"].evidence
    assert (declared_.batch_id, declared_.field, declared_.seen) == ("all", "pupils", "DONE")
    assert found["declares_everything"].state == conformance_pb2.CONFORMANCE_STATE_PASSED
    await own.ResetSandbox(partner_sandboxes_pb2.ResetSandboxRequest(partner_id="edusoft"))
    assert [await here.count(table) for table in ("declaration", "declaration_batch")] == [0, 0]
    assert await here.count("full_copy", of="records") == 0
    assert await pushed(here, signer, "b1", *both) == [ACCEPTED, ACCEPTED]
    assert await pushed(here, signer, "b2", pupil("HS3", 4, school=school)) == [ACCEPTED]
    assert await declared() == (DONE, ["HS2", "HS3"])
