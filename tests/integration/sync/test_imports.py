"""Files in, end to end: uploaded, carried, told row by row, given back."""

import io
import unicodedata
from datetime import date, timedelta
from typing import Any

import openpyxl
import pytest
from iocedu.records.v1.resources_pb2 import ROW_STATE_ACCEPTED
from iocedu.sync.v1 import imports_pb2

from chassis.errors import Fault
from services.sync import jobs
from tests.integration.sync.files import (
    HEADINGS,
    class_of,
    corrected,
    cp1258_form,
    desk,
    held_by,
    indexed,
    parts,
    pupil_line,
    pupils,
    rested,
    result_of,
    saved,
    send,
    with_doctype,
    with_part,
    workbook,
)
from tests.integration.sync.world import HEAD, SCHOOL_A, World, away, pupil, push, staff_member

SUCCEEDED = imports_pb2.IMPORT_STATE_SUCCEEDED


async def test_a_workbook_becomes_records_and_its_bad_cells_are_named(here: World) -> None:
    """Good rows are stored; a bad one is told by sheet, row and column, and stays correctable."""
    lines = pupils(4, HS002=pupil_line(2, **{"Ngày sinh": "31/02/2015"}))
    one = await send(here, workbook(("6A", [["DANH SÁCH HỌC SINH"], [], *lines])))

    assert one.state == SUCCEEDED, one
    assert (one.row_count, one.accepted_count, one.rejected_count) == (4, 3, 1)
    assert (await here.record("HS001.2026")).row.pupil.full_name.startswith("Nguyễn Thị")
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await stub.ListImportProblems(asked)).problems
    assert (problem.sheet, problem.row, problem.column) == ("6A", 5, "D")
    assert problem.problem.reason == "INVALID_DATE"
    assert problem.problem.field == "NGAY_SINH"
    assert problem.problem.message.startswith("Trang “6A”, dòng 5: ")
    assert problem.quarantined_row_id > 0


async def test_a_file_that_says_what_is_held_needs_no_higher_version(here: World) -> None:
    """Nor does it fail where a version before took a record with the highest one that there is."""
    lines = workbook(("6A", pupils(3)))
    await send(here, lines, source="vnedu")
    async with here.records_database.transaction() as connection:
        await connection.exec_driver_sql(f"UPDATE pupil SET version = {2**63 - 1} WHERE key = 'HS001.2026'")
    one = await send(here, lines, source="vnedu")

    assert (one.state, one.unchanged_count, one.rejected_count) == (SUCCEEDED, 3, 0), one


async def test_a_bad_cell_makes_nothing_else_wrong_with_its_row(here: World) -> None:
    """The school that the file is for is no fault of a row that does not name it, neither now nor once corrected."""
    lines = pupils(4, HS002=pupil_line(2, **{"Ngày sinh": "31/02/2015", "Khối": "99"}))
    one = await send(here, workbook(("6A", lines)))
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await stub.ListImportProblems(asked)).problems
    assert "MA_KHOI" in problem.problem.message
    assert "TRUONG_ID" not in problem.problem.message
    again = await corrected(here, problem.quarantined_row_id, MA_KHOI="98")
    assert again.problem.field == "NGAY_SINH"
    assert "MA_KHOI" in again.problem.message
    assert "TRUONG_ID" not in again.problem.message


async def test_each_wrong_field_of_a_row_is_told_with_its_column_and_what_stands_there(here: World) -> None:
    """Whose row it is, too; who did not upload the file sees no personal value. What is corrected is told no more."""
    lines = pupils(4, HS002=pupil_line(2, **{"Ngày sinh": "31/02/2015", "Khối": "99"}))
    one = await send(here, workbook(("6A", lines)))
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    stub = await desk(here)
    answer = await stub.ListImportProblems(asked)
    (problem,) = answer.problems
    assert (problem.problem.key, problem.name, answer.masked) == ("HS002.2026", "Nguyễn Thị Chi 2", False)
    told = [(cell.field, cell.heading, cell.column, cell.value) for cell in problem.cells]
    assert told == [("NGAY_SINH", "Ngày sinh", "D", "31/02/2015"), ("MA_KHOI", "Khối", "H", "99")]

    others = await (await desk(here, HEAD)).ListImportProblems(asked)
    assert others.masked
    assert [(cell.field, cell.value) for cell in others.problems[0].cells] == [("NGAY_SINH", ""), ("MA_KHOI", "99")]

    await corrected(here, problem.quarantined_row_id, MA_KHOI="06")
    (problem,) = (await stub.ListImportProblems(asked)).problems
    assert [(cell.field, cell.value) for cell in problem.cells] == [("NGAY_SINH", "31/02/2015")]


async def test_who_uploaded_a_file_alone_sees_a_name_in_a_column_of_codes(here: World) -> None:
    """No message repeats it either: it may be somebody's."""
    one = await send(here, workbook(("6A", pupils(2, HS002=pupil_line(2, Khối="Lê Thị Bí Mật")))))
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (own,) = (await (await desk(here)).ListImportProblems(asked)).problems
    (others,) = (await (await desk(here, HEAD)).ListImportProblems(asked)).problems
    assert [cell.value for cell in (*own.cells, *others.cells)] == ["Lê Thị Bí Mật", ""]
    assert "MA_KHOI" in own.problem.message
    assert "Bí Mật" not in own.problem.message


async def test_the_workbook_comes_back_with_a_reason_beside_each_bad_cell(here: World) -> None:
    """The school's own sheet, the cell marked, the reason in Vietnamese at the end of the row."""
    lines = pupils(3, HS002=pupil_line(2, Khối="99"))
    one = await send(here, workbook(("6A", lines)))
    stub = await desk(here)
    answer = await stub.GetImportReport(imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id))

    sheet = openpyxl.load_workbook(io.BytesIO(answer.content.data))["6A"]
    assert sheet["J1"].value == "Lỗi và cách sửa"
    assert "MA_KHOI" in sheet["J3"].value
    assert sheet["J2"].value is None
    assert sheet["H3"].comment is not None
    assert sheet["C3"].value == lines[2][2]


async def test_columns_in_any_order_and_form_say_the_same_records(here: World) -> None:
    """By headings alone: another order, merged and repeated headings, numbered columns, signatures, sheets of codes."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = "Danh sách"
    sheet.append(["PHÒNG GDĐT", None, None, None])
    sheet.append(["Lớp: 6A"])
    sheet.append(["Ngày\nsinh", "HỌ VÀ TÊN (in hoa)", "Mã HS", "Phái", "Khối", "Tình trạng", "Ghi chú"])
    sheet.append(["(1)", "(2)", "(3)", "(4)", "(5)", "(6)", "(7)"])
    sheet.append([date(2015, 3, 9), "Trần Văn Bình", "HS1", "Nam", 6, "Đang học", "x"])
    sheet.append(["Ngày sinh", "Họ và tên", "Mã HS", "Phái", "Khối", "Tình trạng"])
    sheet.append([42000, unicodedata.normalize("NFD", "Lê Thị Hòa"), "HS2", "Nữ", "06", "01 - Đang học"])
    sheet.append([])
    sheet.append([None, "Người lập biểu"])
    codes = book.create_sheet("DM_DAN_TOC")
    codes.append(["Mã", "Tên"])
    codes.append(["01", "Kinh"])
    one = await send(here, saved(book))

    assert (one.state, one.accepted_count, one.rejected_count) == (SUCCEEDED, 2, 0), one
    assert [(it.collection, it.row_count) for it in one.sheets] == [("pupils", 2), ("", 0)]
    assert list(one.sheets[0].ignored_headings) == ["Ghi chú"]
    assert list(one.sheets[0].skipped_rows) == [4, 6, 9]
    second = (await here.record("HS2.2026")).row.pupil
    assert (second.full_name, second.birth_date, second.sex, second.class_key) == (
        "Lê Thị Hòa",
        "2014-12-27",
        "2",
        "6A.2026",
    )


@pytest.mark.parametrize(
    ("encoding", "separator"), [("utf-8", ","), ("utf-8-sig", ";"), ("utf-16", "\t"), ("cp1258", ";")]
)
async def test_csv_is_read_in_any_usual_encoding(here: World, encoding: str, separator: str) -> None:
    """Vietnamese Excel writes Windows-1258 where it is not told otherwise."""
    lines = "\r\n".join(separator.join(map(str, line)) for line in pupils(2))
    text = cp1258_form(lines) if encoding == "cp1258" else lines
    one = await send(here, text.encode(encoding), file_name="hs.csv")
    assert (one.state, one.accepted_count) == (SUCCEEDED, 2), one
    assert (await here.record("HS001.2026")).row.pupil.full_name == pupils(1)[1][2]


async def test_what_a_file_does_not_say_stays(here: World) -> None:
    """A file of few columns changes these; a column that is there and empty empties its field."""
    held = pupil("HS001.2026", personal_id="049215000123", disability="01", further={"TEN_ME": "Trần Thị Lan"})
    await (await here.sync()).PushRows(push("1", held, source="file"))
    lines = [["Mã học sinh", "Họ và tên", "Loại khuyết tật"], ["HS001", "Nguyễn Văn Hòa Bình", ""]]
    one = await send(here, workbook(("Sửa", lines)))

    assert (one.state, one.accepted_count) == (SUCCEEDED, 1), one
    now = (await here.record("HS001.2026")).row.pupil
    assert (now.full_name, now.disability) == ("Nguyễn Văn Hòa Bình", "")
    assert (now.personal_id, now.birth_date, now.further["TEN_ME"]) == ("049215000123", "2014-03-09", "Trần Thị Lan")


async def test_rows_that_were_refused_are_counted_and_asked_for_by_kind(here: World) -> None:
    """Of thousands a person sees what is wrong, and settles one kind after another."""
    lines = [pupil_line(number) for number in range(1, 11)]
    for line in lines[:3]:
        line[3] = "30/02/2015"
    lines[5][4] = "khác"
    one = await send(here, workbook(("6A", [HEADINGS, *lines])))
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id, page_size=2)
    every = await stub.ListImportProblems(asked)
    assert [(kind.reason, kind.field, kind.count) for kind in every.kinds] == [
        ("INVALID_DATE", "NGAY_SINH", 3),
        ("INVALID_FIELD", "MA_GIOI_TINH", 1),
    ]
    asked.reason, asked.field = "INVALID_DATE", "NGAY_SINH"
    first = await stub.ListImportProblems(asked)
    asked.page_token = first.next_page_token
    rest = await stub.ListImportProblems(asked)
    assert [problem.row for problem in (*first.problems, *rest.problems)] == [2, 3, 4]
    assert list(rest.kinds) == [], "told once"
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id, field="MA_GIOI_TINH")
    assert [problem.row for problem in (await stub.ListImportProblems(asked)).problems] == [7]


async def test_a_row_is_corrected_in_the_forms_that_files_are_written_in(here: World) -> None:
    """By the field's name or its heading, with a code, its name or both, as the template writes them."""
    bad = {"Giới tính": "khác", "Dân tộc": "Kính", "Trạng thái": "xong"}
    one = await send(here, workbook(("6A", pupils(3, HS002=pupil_line(2, **bad)))))
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await (await desk(here)).ListImportProblems(asked)).problems
    values = {"MA_GIOI_TINH": "1 - Nam", "Dân tộc": "Kinh", "MA_TRANG_THAI_HIEN_TAI": "Đang học", "Khối": "6"}
    done = await corrected(here, problem.quarantined_row_id, **values)
    assert done.state == ROW_STATE_ACCEPTED, done.problem
    now = (await here.record("HS002.2026")).row.pupil
    assert (now.sex, now.ethnic_group, now.status, now.grade) == ("1", "01", "01", "06")


async def test_a_row_that_was_corrected_since_is_told_as_settled(here: World) -> None:
    """By problems, their counts and the workbook, so that who comes back sees what is left; the import's own stay."""
    lines = [pupil_line(number) for number in range(1, 5)]
    lines[0][3] = lines[2][3] = "30/02/2015"
    one = await send(here, workbook(("6A", [HEADINGS, *lines])))
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id, page_size=1)
    (first,) = (await stub.ListImportProblems(asked)).problems
    assert not first.settled
    await corrected(here, first.quarantined_row_id, NGAY_SINH="28/02/2015")

    every = await stub.ListImportProblems(asked)
    asked.page_token = every.next_page_token
    found = [*every.problems, *(await stub.ListImportProblems(asked)).problems]
    assert [(it.row, it.settled, it.quarantined_row_id > 0) for it in found] == [(2, True, False), (4, False, True)]
    assert [(kind.count, kind.settled_count) for kind in every.kinds] == [(2, 1)]
    answer = await stub.GetImportReport(imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id))
    sheet = openpyxl.load_workbook(io.BytesIO(answer.content.data))["6A"]
    assert sheet["D2"].comment is None
    assert "đã được xử lý" in sheet["J2"].value
    assert sheet["D4"].comment is not None
    assert (await rested(here, one.import_id)).rejected_count == 2
    looked = await send(here, workbook(("6A", [HEADINGS, lines[2]])), validate_only=True)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=looked.import_id)
    assert not (await stub.ListImportProblems(asked)).problems[0].settled, "nothing was kept of it that could be"


async def test_marks_stand_as_columns_below_their_subject(here: World) -> None:
    """Several header rows, decimals with a comma, levels where no marks are given; other subjects stay."""
    lines: list[list[Any]] = [
        ["STT", "Mã học sinh", "Họ tên", "Toán", None, None, "GDTC"],
        [None, None, None, "ĐĐGtx", "GK", "Điểm", None],
        *([number, f"HS{number:03d}", "", "8 9,5", "7,5", 8.5, "Đ"] for number in range(1, 4)),
    ]
    one = await send(here, workbook(("Điểm", lines)), stage="CK1")

    assert (one.state, one.accepted_count) == (SUCCEEDED, 3), one
    result = (await here.record("HS001.2026.CK1", collection="results")).row.result
    maths, sport = result.subject_marks
    assert (maths.subject, maths.mark, list(maths.regular_marks), maths.midterm_mark) == ("TOAN", 8.5, [8, 9.5], 7.5)
    assert (sport.subject, sport.level) == ("GDTC", "Đ")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "UNREADABLE_FILE"),
        (b"%PDF-1.7 something", "UNREADABLE_FILE"),
        (b"PK\x03\x04" + b"\0" * 200, "UNREADABLE_FILE"),
        (b"\xd0\xcf\x11\xe0" + b"\0" * 2000, "UNREADABLE_FILE"),
        (workbook(("Sheet", [["a", "b"], [1, 2]])), "NO_TABLE"),
        (workbook(("Sheet", [["Họ và tên", "Ngày sinh", "Lớp"], ["An", "1/1/2015", "6A"]])), "MISSING_COLUMN"),
        (with_part(workbook(("6A", pupils(1))), "xl/vbaProject.bin", b"x"), "UNSAFE_FILE"),
        (with_part(workbook(("6A", pupils(1))), "xl/media/a.bin", b"\0" * 60_000_000), "UNSAFE_FILE"),
        (with_doctype(workbook(("6A", pupils(1)))), "UNSAFE_FILE"),
    ],
    ids=["empty", "pdf", "no zip", "no xls", "no table", "no code", "macros", "bomb", "doctype"],
)
async def test_what_is_no_table_or_not_safe_is_refused_with_a_reason(here: World, content: bytes, reason: str) -> None:
    """The file fails as a whole, nothing of it is stored, and the sentence says what to do."""
    one = await send(here, content)
    assert one.state == imports_pb2.IMPORT_STATE_FAILED
    assert one.error_reason == reason, one
    assert "Hãy" in one.error_message
    assert await here.count("batch") == 0


async def test_formulas_and_errors_refuse_their_row_only(here: World) -> None:
    """What a formula was last saved as is nobody's word; a column that says nothing to us may hold any."""
    lines = pupils(3, HS002=pupil_line(2, STT="=ROW()", **{"Họ và tên": "=A1", "Lớp": "=A2"}))
    one = await send(here, workbook(("6A", lines)))
    assert (one.accepted_count, one.rejected_count) == (2, 1), one
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    (problem,) = (await stub.ListImportProblems(asked)).problems
    assert (problem.problem.reason, problem.problem.field, problem.column) == ("FORMULA_CELL", "HO_TEN", "C")
    assert "Ngoài ra còn sai: MA_LOP" in problem.problem.message, "all of its cells are named at once"


async def test_a_filled_template_sent_back_unchanged_changes_nothing(here: World) -> None:
    """Of every collection, whatever the records hold, also what the template's own columns do not name."""
    rows = [
        pupil("HS001.2026", personal_id="049215000123", further={"TEN_ME": "Trần Thị Lan", "CHIEU_CAO": "1,52"}),
        pupil("HS002.2026", ethnic_group="26", birth_date="", disability="01"),
        staff_member("GV1.2026", birth_date="1985-11-20", subject="TOAN"),
        class_of("6A.2026", homeroom_key="GV1.2026", two_session=True),
        result_of("HS001.2026.CK1"),
        away("6A.2026.2026-11-02.1", "HS001.2026"),
    ]
    assert (await (await here.sync()).PushRows(push("1", *rows))).outcome.accepted_count == len(rows)
    await indexed(here, len(rows))
    stub, head = await desk(here), await desk(here, HEAD)
    for collection, count in (("pupils", 2), ("staff", 1), ("classes", 1), ("results", 1), ("attendance", 1)):
        wanted = imports_pb2.GetTemplateRequest(unit=SCHOOL_A, collection=collection, school_year=2026, filled=True)
        masked = (await stub.GetTemplate(wanted)).content.data
        wanted.purpose = "rà soát"
        whole = (await head.GetTemplate(wanted)).content.data
        for content in (masked, whole):
            one = await send(here, content)
            assert (one.state, one.unchanged_count, one.row_count) == (SUCCEEDED, count, count), (collection, one)


async def test_a_template_offers_codes_and_its_changed_rows_are_stored(here: World) -> None:
    """Chosen from the lists, with Vietnamese headings; one changed row is one changed record."""
    rows = [pupil(f"HS00{number}.2026", full_name=f"Nguyễn Văn {number}") for number in range(1, 4)]
    await (await here.sync()).PushRows(push("1", *rows, source="file"))
    await indexed(here, len(rows))
    stub = await desk(here, HEAD)
    wanted = imports_pb2.GetTemplateRequest(
        unit=SCHOOL_A, collection="pupils", school_year=2026, filled=True, purpose="rà soát"
    )
    book = openpyxl.load_workbook(io.BytesIO((await stub.GetTemplate(wanted)).content.data))
    sheet = book["Học sinh"]
    at = {cell.value: place for place, cell in enumerate(sheet[3], 1)}
    assert sheet.cell(4, at["MA_DAN_TOC"]).value == "Mã dân tộc"
    assert sheet.data_validations.dataValidation
    sheet.cell(5, at["MA_DAN_TOC"]).value = "26 - Cơ-tu"
    one = await send(here, saved(book))

    assert (one.accepted_count, one.unchanged_count) == (1, 2), one
    assert (await here.record("HS001.2026")).row.pupil.ethnic_group == "26"


async def test_the_same_request_is_one_import(here: World) -> None:
    """A repeated upload answers the import there is; another file under its id is refused."""
    stub = await desk(here)
    content = workbook(("6A", pupils(2)))
    first = held_by(await stub.CreateImport(parts(content, request_id="r1")))
    again = held_by(await stub.CreateImport(parts(content, request_id="r1")))
    assert again.import_id == first.import_id
    with pytest.raises(Fault) as refused:
        await stub.CreateImport(parts(workbook(("6A", pupils(3))), request_id="r1"))
    assert refused.value.reason == "REQUEST_ID_REUSED"
    await rested(here, first.import_id)
    assert await here.count("import") == 1


async def test_files_of_ended_imports_are_forgotten_and_their_problems_are_not(here: World) -> None:
    """Personal data goes first; what was wrong can still be listed."""
    one = await send(here, workbook(("6A", pupils(2, HS002=pupil_line(2, Khối="99")))))
    here.clock.advance(timedelta(days=31))
    years = timedelta(days=400)
    kept = jobs.Kept(batches=years, quarantined=years, files=timedelta(days=30), outcomes=years)
    assert await jobs.prune(here.sync_database, here.clock, kept=kept) == (0, 0, 1)
    assert await here.count("import_part") == 0
    stub = await desk(here)
    asked = imports_pb2.ListImportProblemsRequest(unit=SCHOOL_A, import_id=one.import_id)
    assert len((await stub.ListImportProblems(asked)).problems) == 1
    with pytest.raises(Fault) as refused:
        await stub.GetImportReport(imports_pb2.GetImportReportRequest(unit=SCHOOL_A, import_id=one.import_id))
    assert refused.value.reason == "WRONG_STATE"
