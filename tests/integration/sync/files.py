"""Files as schools make them, and a client that sends them as the gateway does."""

import io
import unicodedata
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any

import openpyxl
from iocedu.records.v1 import resources_pb2, results_pb2
from iocedu.sync.v1 import imports_pb2, imports_pb2_grpc, quarantine_pb2, quarantine_pb2_grpc

from chassis.testing import client
from tests.integration.sync.world import CLERK, SCHOOL_A, World
from tests.support.waiting import poll_until

HEADINGS = ("STT", "Mã học sinh", "Họ và tên", "Ngày sinh", "Giới tính", "Dân tộc", "Lớp", "Khối", "Trạng thái")
ENDED = {imports_pb2.IMPORT_STATE_SUCCEEDED, imports_pb2.IMPORT_STATE_FAILED, imports_pb2.IMPORT_STATE_CANCELLED}
RESTING = ENDED | {imports_pb2.IMPORT_STATE_AWAITING_CONFIRMATION}
NAMES = ("An", "Bình", "Chi", "Dung", "Em", "Giang", "Hà", "Khoa", "Lan", "Minh", "Nga", "Phúc")


def pupil_line(number: int, *, name: str = "", **values: Any) -> list[Any]:
    """A pupil of class 6A as a line of a sheet."""
    line = {
        "STT": number,
        "Mã học sinh": f"HS{number:03d}",
        "Họ và tên": name or f"Nguyễn Thị {NAMES[number % len(NAMES)]} {number}",
        "Ngày sinh": f"{number % 28 + 1:02d}/03/2015",
        "Giới tính": "Nữ",
        "Dân tộc": "Kinh",
        "Lớp": "6A",
        "Khối": "6",
        "Trạng thái": "Đang học",
    } | values
    return [line[heading] for heading in HEADINGS]


def pupils(count: int, **changed: list[Any]) -> list[Sequence[Any]]:
    """The lines of a sheet with pupils below their headings."""
    return [HEADINGS, *(changed.get(f"HS{number:03d}") or pupil_line(number) for number in range(1, count + 1))]


def workbook(*sheets: tuple[str, Sequence[Sequence[Any]]]) -> bytes:
    """A workbook with these sheets."""
    book = openpyxl.Workbook()
    book.remove(book.worksheets[0])
    for name, lines in sheets:
        sheet = book.create_sheet(name)
        for line in lines:
            sheet.append(list(line))
    return saved(book)


def saved(book: Any) -> bytes:
    """What a workbook is as a file."""
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def parts(content: bytes, *, size: int = 50_000, **asked: Any) -> Iterator[imports_pb2.CreateImportRequest]:
    """A file in parts, the first with what path and query say."""
    given: dict[str, Any] = {"unit": SCHOOL_A, "school_year": 2026, "file_name": "hoc sinh.xlsx"} | asked
    first = imports_pb2.CreateImportRequest(**given)
    first.content.content_type = "application/octet-stream"
    first.content.data = content[:size]
    yield first
    for start in range(size, len(content), size):
        message = imports_pb2.CreateImportRequest()
        message.content.data = content[start : start + size]
        yield message


async def desk(
    here: World, subject: str = CLERK, *, language: str = "vi"
) -> "imports_pb2_grpc.ImportsServiceAsyncStub":
    """ImportsService as a subject calls it."""
    channel = client(here.sync_address, here.keys.mint(subject), language=language)
    stub: imports_pb2_grpc.ImportsServiceAsyncStub = imports_pb2_grpc.ImportsServiceStub(
        await here.stack.enter_async_context(channel)
    )
    return stub


def held_by(answer: Any) -> imports_pb2.Import:
    """The import of an answer; the field's name is a word of Python's."""
    one: imports_pb2.Import = getattr(answer, "import")
    return one


async def send(here: World, content: bytes, **asked: Any) -> imports_pb2.Import:
    """Upload a file, wait until it rests, and give the import."""
    stub = await desk(here, asked.pop("subject", CLERK))
    one = held_by(await stub.CreateImport(parts(content, **asked)))
    return await rested(here, one.import_id)


async def rested(here: World, import_id: int, *, among: set[Any] = RESTING) -> imports_pb2.Import:
    """The import once it has ended, or waits for a person."""
    stub = await desk(here)
    found: list[imports_pb2.Import] = []

    async def rests() -> bool:
        one = held_by(await stub.GetImport(imports_pb2.GetImportRequest(unit=SCHOOL_A, import_id=import_id)))
        found.append(one)
        return one.state in among

    await poll_until(rests, 40.0)
    return found[-1]


async def corrected(here: World, row_id: int, **values: str) -> quarantine_pb2.CorrectQuarantinedRowResponse:
    """What became of a row of the quarantine with these values."""
    async with client(here.sync_address, here.keys.mint(CLERK), language="vi") as channel:
        stub: quarantine_pb2_grpc.QuarantineServiceAsyncStub = quarantine_pb2_grpc.QuarantineServiceStub(channel)
        return await stub.CorrectQuarantinedRow(
            quarantine_pb2.CorrectQuarantinedRowRequest(unit=SCHOOL_A, quarantined_row_id=row_id, values=values)
        )


def with_part(content: bytes, name: str, part: bytes) -> bytes:
    """A workbook with one part more inside."""
    out = io.BytesIO(content)
    with zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as book:
        book.writestr(name, part)
    return out.getvalue()


def with_doctype(content: bytes) -> bytes:
    """A workbook whose texts grow out of entities."""
    declared = b'<!DOCTYPE worksheet [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;">]>'
    out = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as given, zipfile.ZipFile(out, "w") as made:
        for name in given.namelist():
            part = given.read(name)
            if name == "xl/worksheets/sheet1.xml":
                part = part[part.index(b"<worksheet") :]
                part = declared + part.replace(b"<t>", b"<t>&b;", 1)
            made.writestr(name, part)
    return out.getvalue()


def cp1258_form(text: str) -> str:
    """A text as Windows-1258 has it: the five tones stand by themselves."""
    tones = "\u0300\u0301\u0303\u0309\u0323"
    made = []
    for letter in unicodedata.normalize("NFC", text):
        apart = unicodedata.normalize("NFD", letter)
        tone = next((one for one in apart if one in tones), "")
        made.append(unicodedata.normalize("NFC", apart.replace(tone, "")) + tone if tone else letter)
    return "".join(made)


def class_of(key: str, **fields: Any) -> resources_pb2.Row:
    """A row with a class."""
    values: dict[str, Any] = {"school_year": 2026, "name": "6A", "grade": "06", "level": "03"}
    return resources_pb2.Row(
        school=SCHOOL_A, key=key, version=1, school_class=resources_pb2.SchoolClass(**(values | fields))
    )


def result_of(key: str) -> resources_pb2.Row:
    """A row with a pupil's results at the end of the first term."""
    marks = [
        results_pb2.SubjectMark(subject="TOAN", mark=8.5, regular_marks=[8, 9.5], midterm_mark=7.5, final_mark=9),
        results_pb2.SubjectMark(subject="GDTC", level="Đ"),
    ]
    result = resources_pb2.Row(school=SCHOOL_A, key=key, version=1)
    result.result.CopyFrom(
        results_pb2.Result(
            school_year=2026, pupil_key="HS001.2026", stage="CK1", learning_result="T", subject_marks=marks
        )
    )
    return result


async def indexed(here: World, count: int) -> None:
    """Wait until that many records have come to the change feed."""

    async def there() -> bool:
        async with here.records_database.connection() as connection:
            found = await connection.exec_driver_sql("SELECT count(*) FROM feed WHERE position IS NOT NULL")
            return int(found.scalar_one()) >= count

    await poll_until(there)
