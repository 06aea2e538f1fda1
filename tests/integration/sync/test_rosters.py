"""OneRoster's zips end to end: of everything and of changes, deletions among them, told row by row."""

import io
from typing import Any
from uuid import uuid4

import openpyxl
from iocedu.records.v1.resources_pb2 import ROW_STATE_ACCEPTED
from iocedu.sync.v1 import (
    conformance_pb2,
    imports_pb2,
    imports_pb2_grpc,
)

from chassis.errors import Fault
from chassis.testing import client
from services.sync.domain.imports import Order
from services.sync.store import imports
from tests.integration.sync.files import ENDED, RESTING, corrected, desk, held_by, indexed, parts, send
from tests.integration.sync.rosters import at, enrolled, person, roster, school
from tests.integration.sync.test_sandboxes import findings, opened
from tests.integration.sync.withholding import grant, tables_naming
from tests.integration.sync.world import COMMUNE, SCHOOL_A, SCHOOL_B, VENDOR, World, pupil, push
from tests.support.waiting import poll_until

SUCCEEDED, FAILED = imports_pb2.IMPORT_STATE_SUCCEEDED, imports_pb2.IMPORT_STATE_FAILED
AWAITING = imports_pb2.IMPORT_STATE_AWAITING_CONFIRMATION


async def sent(here: World, content: bytes, **asked: Any) -> imports_pb2.Import:
    """A zip that was carried."""
    return await send(here, content, file_name="roster.zip", source="oneroster", **asked)


async def is_gone(here: World, key: str, *, collection: str = "pupils") -> bool:
    """Whether a record is held no more."""
    try:
        await here.record(key, collection=collection)
    except Fault as fault:
        return fault.reason == "UNKNOWN_RECORD"
    return False


async def pupil_of(here: World, key: str) -> Any:
    """A pupil that is held."""
    return (await here.record(f"{key}.2026")).row.pupil


async def test_files_of_everything_become_classes_staff_and_pupils(here: World) -> None:
    """Joined across files: a pupil of user, role, demographics and enrolment; a class and its homeroom teacher."""
    one = await sent(here, roster(school()))

    assert (one.state, one.accepted_count, one.rejected_count) == (SUCCEEDED, 5, 0), one
    pupil = await pupil_of(here, "hs-1")
    assert (pupil.full_name, pupil.birth_date, pupil.sex) == ("Nguyễn Văn An 1", "2015-03-09", "1")
    assert (pupil.class_key, pupil.grade, pupil.status) == ("6A.2026", "06", "01")
    member = (await here.record("gv-1.2026", collection="staff")).row.staff_member
    assert (member.full_name, member.staff_group, member.status) == ("Nguyễn Văn Bình", "03", "01")
    homeroom = (await here.record("6A.2026", collection="classes")).row.school_class
    assert (homeroom.name, homeroom.grade, homeroom.homeroom_key) == ("6A", "06", "gv-1.2026")


async def test_the_same_files_again_change_nothing(here: World) -> None:
    """And what the centre holds beside them stays: a code that no file says."""
    said = school()
    said["users"][0]["metadata.MA_DAN_TOC"] = "26"
    await sent(here, roster(said))
    del said["users"][0]["metadata.MA_DAN_TOC"]
    one = await sent(here, roster(said))

    assert (one.state, one.accepted_count, one.unchanged_count) == (SUCCEEDED, 0, 5), one
    assert (await pupil_of(here, "hs-1")).ethnic_group == "26"


async def test_what_files_of_everything_lack_is_gone_and_much_of_it_is_asked_about(here: World) -> None:
    """One pupil of ten is deleted at once; of most a person is asked, and nothing is stored meanwhile."""
    await (await here.sync()).PushRows(push("smas", *(pupil(f"X{one}") for one in range(30)), source="smas"))
    await sent(here, roster(school(10)))
    await indexed(here, 42)
    one = await sent(here, roster(school(9)))
    assert (one.state, one.accepted_count, one.unchanged_count, one.deletions[0].count) == (SUCCEEDED, 0, 11, 1), one
    assert await is_gone(here, "hs-10.2026")

    one = await sent(here, roster(school(2)))
    assert (one.state, [doubt.kind for doubt in one.suspicions]) == (
        AWAITING,
        [imports_pb2.SUSPICION_KIND_MASS_DISAPPEARANCE],
    )
    (doubt,) = one.suspicions
    assert "thiếu 7 trong 9 học sinh mà nguồn “oneroster”" in doubt.message, "another source's stay and do not count"
    assert list(doubt.examples) == [f"hs-{number}.2026" for number in range(3, 10)]
    assert not await is_gone(here, "hs-9.2026")


async def test_a_sandbox_deletes_and_asks_like_a_school(here: World) -> None:
    """Its records are in no change feed, which other files are compared with."""
    signer, alias = await opened(here)
    channel = await here.stack.enter_async_context(client(here.sync_address, signer.token()))
    stub: imports_pb2_grpc.ImportsServiceAsyncStub = imports_pb2_grpc.ImportsServiceStub(channel)

    async def carried(pupils: int) -> imports_pb2.Import:
        said = school(pupils)
        said["orgs"][0]["identifier"] = alias.removeprefix("moet:")
        given = parts(roster(said), unit=alias, file_name="roster.zip", source="edusoft")
        named = imports_pb2.GetImportRequest(unit=alias, import_id=held_by(await stub.CreateImport(given)).import_id)
        await poll_until(lambda: _ended(stub, named, among=RESTING))
        return held_by(await stub.GetImport(named))

    one = await carried(10)
    assert (one.state, one.accepted_count) == (SUCCEEDED, 12), one
    one = await carried(9)
    assert (one.state, one.accepted_count, one.unchanged_count, one.deletions[0].count) == (SUCCEEDED, 0, 11, 1), one
    one = await carried(2)
    assert (one.state, len(one.suspicions)) == (AWAITING, 1), one
    assert "lacks 7 of 9 pupils" in one.suspicions[0].message
    found = await findings(here, signer)
    assert found["signs_itself"].state == conformance_pb2.CONFORMANCE_STATE_NOT_SHOWN, (
        "who signs batches of a file is sync"
    )
    assert found["known_fields"].state == conformance_pb2.CONFORMANCE_STATE_PASSED


async def test_everything_of_another_school_is_refused_and_deletes_nothing(here: World) -> None:
    """Before any question, naming both schools; where only some rows are another's, these are refused and no more."""
    await sent(here, roster(school(10)))
    await indexed(here, 12)
    said = school(10)
    said["orgs"][0]["identifier"] = "49506002"
    one = await sent(here, roster(said))
    assert (one.state, one.error_reason) == (FAILED, "OTHER_SCHOOL"), one
    for named in ("49506002", "Trường TH Ánh Dương", "49506001", "Trường THCS Nguyễn Du", "orgs.csv"):
        assert named in one.error_message
    said["orgs"][0]["identifier"] = ""
    one = await sent(here, roster(said))
    assert (one.state, one.error_reason) == (FAILED, "OTHER_SCHOOL"), one
    assert "org-a" in one.error_message

    said = school(2)
    said["orgs"].append(said["orgs"][0] | {"sourcedId": "org-b", "identifier": "49506002"})
    said["roles"][1]["orgSourcedId"] = said["enrollments"][1]["schoolSourcedId"] = "org-b"
    one = await sent(here, roster(said))
    assert (one.state, one.rejected_count) == (SUCCEEDED, 1), one
    assert [(sheet.collection, sheet.unsure_count) for sheet in one.sheets if sheet.unsure_count] == [("pupils", 1)]
    assert not await is_gone(here, "hs-9.2026")
    said["roles"][1]["orgSourcedId"] = said["enrollments"][1]["schoolSourcedId"] = "org-c"
    one = await sent(here, roster(said))
    assert (one.state, one.rejected_count) == (SUCCEEDED, 1), one
    assert not await is_gone(here, "hs-9.2026")


async def test_files_of_everything_without_any_pupil_are_asked_about(here: World) -> None:
    """Though there is no row of a pupil to compare: nothing is gone before somebody confirms it."""
    await sent(here, roster(school(6)))
    await indexed(here, 8)
    one = await sent(here, roster(school(0)))
    assert (one.state, [doubt.kind for doubt in one.suspicions]) == (
        AWAITING,
        [imports_pb2.SUSPICION_KIND_MASS_DISAPPEARANCE],
    )
    assert not await is_gone(here, "hs-6.2026")


async def test_changes_move_delete_and_correct_people_by_their_files_alone(here: World) -> None:
    """A pupil moves by two enrolments, a user says only a name, one is deleted who is named nowhere else."""
    everything = school(4)
    everything["classes"].append(everything["classes"][0] | {"sourcedId": "6B", "title": "6B"})
    await sent(here, roster(everything))
    corrected = everything["users"][1] | {"givenName": "Bảo"}
    changes = {
        "users": [
            at("10-02T07:30", corrected),
            at("10-02T07:30", {"sourcedId": "hs-3"}, status="tobedeleted"),
            at("10-02T07:30", {"sourcedId": "gv-1"}, status="tobedeleted"),
        ],
        "enrollments": [
            at("10-02T07:30", enrolled("hs-1", "6A"), status="tobedeleted"),
            at("10-02T07:30", enrolled("hs-1", "6B")),
            at("10-02T07:30", enrolled("hs-4", "6A"), status="tobedeleted"),
            at("10-02T07:30", enrolled("hs-2", "toan-6A")),
        ],
    }
    one = await sent(here, roster(changes, mode="delta"))

    assert (one.state, one.accepted_count, one.rejected_count) == (SUCCEEDED, 5, 0), one
    assert (await pupil_of(here, "hs-1")).class_key == "6B.2026"
    second = await pupil_of(here, "hs-2")
    assert (second.full_name, second.class_key) == ("Nguyễn Văn Bảo", "6A.2026")
    assert (await pupil_of(here, "hs-4")).class_key == ""
    assert await is_gone(here, "hs-3.2026")
    assert await is_gone(here, "gv-1.2026", collection="staff")

    again = await sent(here, roster(changes, mode="delta"))
    assert (again.state, again.accepted_count, again.rejected_count) == (SUCCEEDED, 0, 0), again
    earlier = {name: [at("10-01T07:30", everything[name][1])] for name in ("users", "roles")}
    older = await sent(here, roster(earlier, mode="delta"))
    assert (older.state, older.stale_count) == (SUCCEEDED, 1), older
    assert (await pupil_of(here, "hs-2")).full_name == "Nguyễn Văn Bảo"


async def test_who_was_deleted_by_changes_comes_back_with_files_of_everything(here: World) -> None:
    """What was sent last counts, though changes say versions of their own."""
    await sent(here, roster(school(3)))
    changes = {"users": [at("10-02T07:30", {"sourcedId": "hs-3"}, status="tobedeleted")]}
    await sent(here, roster(changes, mode="delta"))
    assert await is_gone(here, "hs-3.2026")
    one = await sent(here, roster(school(3)))
    assert (one.state, one.accepted_count, one.stale_count) == (SUCCEEDED, 1, 0), one
    assert (await pupil_of(here, "hs-3")).full_name == "Nguyễn Văn An 3"


async def test_the_old_class_of_a_pupil_who_moved_before_takes_nothing_away(here: World) -> None:
    """The end of an enrolment may come after the new one did."""
    everything = school(1)
    everything["classes"].append(everything["classes"][0] | {"sourcedId": "6B", "title": "6B"})
    await sent(here, roster(everything))
    await sent(here, roster({"enrollments": [at("10-02T07:30", enrolled("hs-1", "6B"))]}, mode="delta"))
    ended = at("10-03T07:30", enrolled("hs-1", "6A"), status="tobedeleted")
    one = await sent(here, roster({"enrollments": [ended]}, mode="delta"))
    assert (one.state, one.rejected_count) == (SUCCEEDED, 0), one
    assert (await pupil_of(here, "hs-1")).class_key == "6B.2026"


async def test_what_is_wrong_is_told_by_file_row_and_column_and_stays_correctable(here: World) -> None:
    """The date of birth stands in another file than the name; a person whom no file explains is told, too."""
    said = school(2)
    said["demographics"][1]["birthDate"] = "2015-02-31"
    one = await sent(here, roster(said))
    assert (one.state, one.accepted_count, one.rejected_count) == (SUCCEEDED, 3, 1), one
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await stub.ListImportProblems(asked)).problems
    assert (problem.sheet, problem.row, problem.column) == ("demographics.csv", 3, "D")
    assert (problem.problem.reason, problem.problem.field) == ("INVALID_DATE", "NGAY_SINH")
    assert problem.problem.message.startswith("Tệp demographics.csv, dòng 3, cột birthDate: NGAY_SINH ")
    assert problem.quarantined_row_id > 0
    (english,) = (await (await desk(here, language="en")).ListImportProblems(asked)).problems
    assert english.problem.message.startswith("File demographics.csv, row 3, column birthDate: NGAY_SINH ")
    report = await stub.GetImportReport(imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id))
    sheet = openpyxl.load_workbook(io.BytesIO(report.content.data))["demographics.csv"]
    assert sheet["D3"].comment is not None
    done = await corrected(here, problem.quarantined_row_id, birthDate="2015-02-28", sex="female")
    assert done.state == ROW_STATE_ACCEPTED, "by the columns that the problem names, in their words"
    mended = await pupil_of(here, "hs-2")
    assert (mended.birth_date, mended.sex) == ("2015-02-28", "2")

    stranger = {"users": [at("10-02T07:30", person("x-1", "student", given="Lạ")["user"])]}
    one = await sent(here, roster(stranger, mode="delta"))
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await stub.ListImportProblems(asked)).problems
    assert (problem.sheet, problem.row) == ("users.csv", 2)
    assert "roles.csv" in problem.problem.message


async def test_all_faults_of_a_record_are_told_each_by_file_row_and_column(here: World) -> None:
    """A class that no file knows, a date and a sex in a third file, a state in a fourth: one answer names them all."""
    said = school(2)
    said["demographics"][1] |= {"birthDate": "2015-02-31", "sex": "x"}
    said["enrollments"][1]["classSourcedId"] = "9Z"
    said["users"][1]["grades"] = "ba"
    one = await sent(here, roster(said))
    assert (one.state, one.accepted_count, one.rejected_count) == (SUCCEEDED, 3, 1), one
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await (await desk(here)).ListImportProblems(asked)).problems
    message = problem.problem.message
    assert message.startswith("Tệp enrollments.csv, dòng 3, cột classSourcedId: MA_LOP "), message
    for place in ("Tệp demographics.csv, dòng 3, cột birthDate: NGAY_SINH", "dòng 3, cột sex: MA_GIOI_TINH"):
        assert place in message, message
    assert "Tệp users.csv, dòng 3, cột grades: MA_KHOI" in message, message

    states = [at("10-02T07:30", said["users"][0], status="gone"), *said["users"][1:2]]
    roles = [said["roles"][0] | {"status": "left", "dateLastModified": "yesterday"}]
    one = await sent(here, roster({"users": states, "roles": roles}, mode="delta"))
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    message = (await (await desk(here)).ListImportProblems(asked)).problems[0].problem.message
    for place in ("users.csv, dòng 2, cột status", "roles.csv, dòng 2, cột status", "cột dateLastModified"):
        assert place in message, message


async def test_a_zip_that_is_only_looked_at_tells_its_outcomes_and_stores_nothing(here: World) -> None:
    """What rows would become, what would be deleted, and what a person would be asked; then the same in earnest."""
    await sent(here, roster(school(10)))
    await indexed(here, 12)
    said = school(2)
    said["users"][0]["givenName"] = "Mới"
    said["demographics"][1]["birthDate"] = "2015-02-31"
    one = await sent(here, roster(said), validate_only=True, request_id="try")

    counts = (one.accepted_count, one.unchanged_count, one.rejected_count)
    assert (one.state, one.validate_only, counts) == (SUCCEEDED, True, (1, 2, 1)), one
    assert [doubt.kind for doubt in one.suspicions] == [imports_pb2.SUSPICION_KIND_MASS_DISAPPEARANCE]
    (deleted,) = one.deletions
    assert (deleted.collection, deleted.count, deleted.lacking) == ("pupils", 8, True)
    assert set(deleted.keys) == {f"hs-{number}.2026" for number in range(3, 11)}
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await (await desk(here)).ListImportProblems(asked)).problems
    assert (problem.sheet, problem.row, problem.quarantined_row_id) == ("demographics.csv", 3, 0)
    assert (await pupil_of(here, "hs-1")).full_name == "Nguyễn Văn An 1"
    assert not await is_gone(here, "hs-10.2026")

    gone = {"users": [at("10-02T07:30", {"sourcedId": "hs-9"}, status="tobedeleted")]}
    one = await sent(here, roster(gone, mode="delta"), validate_only=True)
    assert (one.state, one.accepted_count, len(one.suspicions)) == (SUCCEEDED, 1, 0), one
    assert [(each.count, list(each.keys), each.lacking) for each in one.deletions] == [(1, ["hs-9.2026"], False)]
    assert not await is_gone(here, "hs-9.2026")

    one = await sent(here, roster(gone, mode="delta"))
    assert (one.validate_only, one.accepted_count, one.deletions[0].count) == (False, 1, 1), one
    assert await is_gone(here, "hs-9.2026")


async def test_what_refuses_a_zip_is_told_as_a_list_too(here: World) -> None:
    """For programs: each with its reason, its place and what to do."""
    said = school()
    said["users"][1]["sourcedId"] = said["roles"][1]["sourcedId"] = ""
    one = await sent(here, roster(said))
    assert (one.state, one.error_reason) == (FAILED, "WRONG_ROSTER"), one
    assert [(each.reason, each.metadata["file"], each.metadata["row"]) for each in one.faults] == [
        ("WRONG_ROSTER", "users.csv", "3"),
        ("WRONG_ROSTER", "roles.csv", "3"),
    ]
    assert all(each.message in one.error_message for each in one.faults)


async def test_what_was_said_before_and_comes_late_is_old_though_nothing_changed_since(here: World) -> None:
    """The same again, dated later, is told as unchanged, and is what late changes are compared with."""
    await sent(here, roster(school(1)))
    user = school(1)["users"][0]

    async def said(moment: str, name: str) -> imports_pb2.Import:
        return await sent(here, roster({"users": [at(moment, user | {"givenName": name})]}, mode="delta"))

    await said("10-01T07:30", "Bảo")
    again = await said("10-03T07:30", "Bảo")
    assert (again.state, again.unchanged_count) == (SUCCEEDED, 1), again
    late = await said("10-02T07:30", "Cường")
    assert (late.state, late.stale_count) == (SUCCEEDED, 1), late
    assert (await pupil_of(here, "hs-1")).full_name == "Nguyễn Văn Bảo"


async def test_files_of_a_school_tell_nobody_who_is_at_another(here: World) -> None:
    """What only names people of a school beyond the import's is refused alike, whether that school has them or not."""
    await (await here.sync()).PushRows(push("1", pupil("hs-9", school=SCHOOL_B), source="oneroster"))
    elsewhere = [{"sourcedId": "org-b", "name": "Trường khác", "type": "school", "identifier": "49506002"}]
    users, ended = list[dict[str, str]](), list[dict[str, str]]()
    for number in ("8", "9"):
        user = person(f"hs-{number}", "student", given="Lan")["user"] | {"primaryOrgSourcedId": "org-b"}
        users.append(at("10-02T07:30", user))
        left = enrolled(f"hs-{number}", "6A") | {"schoolSourcedId": "org-b"}
        ended.append(at("10-02T07:30", left, status="tobedeleted"))
    stub = await desk(here)
    for said in ({"users": users}, {"enrollments": ended}):
        modes = {"orgs": "bulk"}
        one = await sent(here, roster({"orgs": elsewhere} | said, mode="delta", modes=modes))
        asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
        found = (await stub.ListImportProblems(asked)).problems
        assert len(found) == 2, one
        assert len({(each.problem.reason, each.problem.field) for each in found}) == 1, found


async def test_everything_of_many_schools_is_refused_and_changes_are_not(here: World) -> None:
    """What many schools lack nobody compares; changes say their school by its ministry's code.

    Who is erased is named by no answer of such a file that was only looked at.
    """
    stub = await desk(here, VENDOR)

    async def carried(content: bytes, **asked: Any) -> imports_pb2.Import:
        given = parts(content, unit=COMMUNE, file_name="roster.zip", source="oneroster", **asked)
        named = imports_pb2.GetImportRequest(unit=COMMUNE, import_id=held_by(await stub.CreateImport(given)).import_id)
        await poll_until(lambda: _ended(stub, named))
        return held_by(await stub.GetImport(named))

    one = await carried(roster(school()))
    assert (one.state, one.error_reason) == (FAILED, "NOT_ONE_SCHOOL")
    said = {name: [at("10-02T07:30", row) for row in rows] for name, rows in school().items()}
    one = await carried(roster(said, mode="delta"))
    assert (one.state, one.accepted_count, one.rejected_count) == (SUCCEEDED, 5, 0), one
    said["demographics"][0]["birthDate"] = "2015-02-31"
    one = await carried(roster(said, mode="delta"), validate_only=True)
    assert one.rejected_count == 1, one
    assert "batch" in {name.rpartition(".")[2] for name in await tables_naming(here, "hs-1.2026")}
    await grant(here, "hs-1.2026")
    assert "batch" not in {name.rpartition(".")[2] for name in await tables_naming(here, "hs-1.2026")}


async def test_a_file_to_be_looked_at_is_not_taken_by_a_replica_that_would_carry_it(here: World) -> None:
    """Replicas of a version before ask for what nobody holds in other words."""
    unit_id = here.scopes.tree.resolve(SCHOOL_A, here.clock.today())
    assert unit_id is not None
    order = Order(unit_id, VENDOR, "file", "a.xlsx", 2026, "pupils", "", False, False, "", validate_only=True)
    async with here.sync_database.connection() as writes:
        assert await imports.begin(writes, order, now=here.clock.now())
        old = await writes.exec_driver_sql(
            "SELECT count(*) FROM import WHERE state IN (1, 3)"
            " AND (claimed_until IS NULL OR claimed_until < clock_timestamp())"
        )
        assert old.scalar_one() == 0
        run = uuid4()
        one = await imports.claim(writes, run=run, seconds=60)
        assert one is not None
        assert one.order == order
        await imports.release(writes, one.import_id, run=run)
        assert await imports.claim(writes, run=uuid4(), seconds=60) is not None


async def _ended(stub: Any, named: imports_pb2.GetImportRequest, *, among: set[Any] = ENDED) -> bool:
    return held_by(await stub.GetImport(named)).state in among
