"""Why a whole call is refused: one function a reason, in both languages. What is wrong with a row is no such thing."""

from chassis.errors import Fault, FieldViolation, Kind
from services.sync.domain.batches import MOST_BYTES, MOST_ROWS
from services.sync.domain.corrections import ETAG_MISMATCH, PathRefusedError, Wrong
from services.sync.domain.documents import BrokenDocumentError
from services.sync.domain.full import FullState
from services.sync.domain.imports import Import, ImportState
from services.sync.domain.locked import correction_locked
from services.sync.domain.problems import LOCKED, SCHOOL_OUTSIDE_UNIT, Problem
from services.sync.domain.words import Text, shortened

TOO_LARGE = "TOO_LARGE"
TOO_MANY_REFUSED = "TOO_MANY_REFUSED"


def invalid(field: str, *, vi: str, en: str) -> Fault:
    """A field of the call cannot be taken."""
    violation = FieldViolation(field, "INVALID_FIELD", vi, en)
    return Fault(Kind.INVALID, "INVALID_FIELD", vi=vi, en=en, violations=[violation])


def several_sources(sources: list[str]) -> Fault:
    """A batch id names several batches."""
    told = ", ".join(sources)
    return invalid(
        "source",
        vi=f"Mã lô này có ở nhiều nguồn: {told}. Hãy ghi rõ `source`.",
        en=f"More than one source used this batch id: {told}. Say which by `source`.",
    )


def out_of_turn() -> Fault:
    """A stream says something that has no place there."""
    return Fault(
        Kind.INVALID,
        "OUT_OF_TURN",
        vi="Luồng phải mở đầu bằng một thông điệp `open`, sau đó chỉ gồm các thông điệp `batch`.",
        en="A stream begins with one `open` message and goes on with `batch` messages only.",
    )


def unknown_profile(profile: str, known: list[str]) -> Fault:
    """Nobody knows these field names."""
    told = ", ".join(known)
    return Fault(
        Kind.INVALID,
        "UNKNOWN_PROFILE",
        vi=f"Không có bộ tên trường dữ liệu (profile) “{profile}”. Hãy chọn một trong: {told}.",
        en=f"There is no profile “{profile}”. Choose one of: {told}.",
        metadata={"profile": profile},
    )


def unsupported(content_type: str) -> Fault:
    """A document of a kind that is not read."""
    shown = content_type or "—"
    return Fault(
        Kind.INVALID,
        "UNSUPPORTED_CONTENT_TYPE",
        vi=f"Không đọc được kiểu nội dung “{shown}”. Hãy gửi application/json hoặc application/x-ndjson, mã UTF-8.",
        en=f"The content type “{shown}” cannot be read. Send application/json or application/x-ndjson, in UTF-8.",
        metadata={"content_type": content_type},
    )


def compressed(packing: str) -> Fault:
    """A document that came compressed."""
    return Fault(
        Kind.INVALID,
        "UNSUPPORTED_CONTENT_TYPE",
        vi=f"Tài liệu đang được nén ({packing}). Hãy gửi không nén: bỏ content-encoding và gửi thẳng JSON hoặc NDJSON.",
        en=f"The document is compressed ({packing}). Send it uncompressed: plain JSON or NDJSON, no content-encoding.",
        metadata={"content_encoding": packing},
    )


def unknown_batch(batch_id: str) -> Fault:
    """No batch has this id."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_BATCH",
        vi=f"Đơn vị này không có lô “{batch_id}”. Hãy kiểm tra mã lô và đơn vị đã gửi.",
        en=f"This unit has no batch “{batch_id}”. Check the id and the unit it was for.",
        metadata={"batch_id": batch_id},
    )


def too_large(limit: int) -> Fault:
    """A document of too many bytes."""
    size = f"{limit / 1_000_000:g} MB"
    return Fault(
        Kind.INVALID,
        TOO_LARGE,
        vi=f"Tài liệu lớn hơn mức cho phép {size}. Hãy chia thành nhiều lô, hoặc gửi NDJSON (mỗi dòng một bản ghi).",
        en=f"The document is larger than the {size} that are allowed. Split it into batches, or send it as NDJSON.",
        metadata={"limit": str(limit)},
    )


def too_large_to_be_atomic() -> Fault:
    """A batch that is stored whole or not at all, and is more than one transaction takes."""
    size = f"{MOST_BYTES / 1_000_000:g} MB"
    return Fault(
        Kind.INVALID,
        TOO_LARGE,
        vi=f"Lô ghi nhận trọn vẹn (`atomic`) có tối đa {MOST_ROWS} bản ghi và {size}. Hãy chia lô, hoặc bỏ `atomic`.",
        en=f"An atomic batch holds at most {MOST_ROWS} rows and {size}. Split it, or send it without `atomic`.",
        metadata={"limit": str(MOST_ROWS)},
    )


def empty_mask() -> Fault:
    """A correction that names nothing."""
    return invalid(
        "update_mask",
        vi='Chưa nêu trường cần sửa. Hãy ghi vào update_mask, ví dụ full_name hoặc further["TEN_ME"].',
        en='Nothing is named to correct. Write it into update_mask, such as full_name or further["TEN_ME"].',
    )


def path_refused(refused: PathRefusedError) -> Fault:
    """A correction of something that cannot be corrected so."""
    path = shortened(refused.path)
    if refused.wrong is Wrong.NO_FIELD:
        return invalid(
            "update_mask",
            vi=f"Loại bản ghi này không có trường “{path}”. Hãy ghi tên trường của bản ghi, không kèm tên loại.",
            en=f"Records of this type have no field “{path}”. Write a field of the record, without its type.",
        )
    if refused.wrong is Wrong.MASKED:
        return invalid(
            path,
            vi=f"Giá trị của {path} là giá trị đã che. Hãy ghi giá trị đầy đủ, hoặc bỏ trường này khỏi update_mask.",
            en=f"The value of {path} is a masked one. Write it in full, or take the field out of update_mask.",
        )
    return invalid(
        path,
        vi=f"Thiếu {path}, hoặc thông điệp chứa loại bản ghi khác. Hãy ghi các giá trị mới vào {path}.",
        en=f"{path} is missing, or another type of record stands there. Write the new values into {path}.",
    )


def not_corrected(problem: Problem) -> Fault:
    """A correction whose record breaks a rule, is locked, or has changed in between."""
    kind, text = Kind.INVALID, problem.text
    if problem.reason == LOCKED:
        kind, text = Kind.PRECONDITION, correction_locked(problem.metadata)
    elif problem.reason == ETAG_MISMATCH:
        kind = Kind.CONFLICT
    field = f"row.{problem.field}" if problem.field else ""
    violations = [FieldViolation(field, problem.reason, text.vi, text.en)] if field else []
    return Fault(kind, problem.reason, vi=text.vi, en=text.en, metadata=problem.metadata, violations=violations)


def too_many_refused(example: Problem, *, most: int) -> Fault:
    """A document so wrong that it cannot be meant so; one of its problems says how."""
    reason = example.reason
    return Fault(
        Kind.INVALID,
        TOO_MANY_REFUSED,
        vi=f"Hơn {most} bản ghi của tài liệu bị từ chối hoặc giữ lại. Hãy kiểm tra profile và năm học rồi gửi lại. "
        f"Ví dụ {reason}, {example.text.vi}",
        en=f"More than {most} rows are refused or held. Check the profile and the school year, then send it again. "
        f"For example {reason}, {example.text.en}",
        metadata={"limit": str(most), "reason": reason},
    )


def broken(broken: BrokenDocumentError) -> Fault:
    """A JSON document that is none."""
    why, place = broken.why, broken.place
    vi, en = (f" (sau {broken.rows} bản ghi)", f" (after {broken.rows} records)") if broken.rows else ("", "")
    return Fault(
        Kind.INVALID,
        "INVALID_JSON",
        vi=f"Tài liệu không đọc được từ ký tự thứ {place + 1}{vi}: {why.vi}. Chưa có bản ghi nào được ghi nhận; "
        "hãy sửa rồi gửi lại cả tài liệu.",
        en=f"The document cannot be read from character {place + 1}{en}: {why.en}. No record of it was taken; "
        "correct it and send the whole document again.",
        metadata={"position": str(place)},
    )


def batch_id_reused(batch_id: str) -> Fault:
    """A batch under the id of another one."""
    return Fault(
        Kind.EXISTS,
        "BATCH_ID_REUSED",
        vi=f"Mã lô “{batch_id}” đã dùng cho một lô có nội dung khác. Hãy đặt mã mới cho lô này.",
        en=f"The batch id “{batch_id}” was used for a batch with other content. Give this one a new id.",
        metadata={"batch_id": batch_id},
    )


def unknown_destination(code: str) -> Fault:
    """Nobody is passed records under this code."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_DESTINATION",
        vi=f"Không có nơi nhận “{code}”. Xem danh sách nơi nhận tại /v1/destinations.",
        en=f"There is no destination “{code}”. GET /v1/destinations lists them.",
        metadata={"destination": code},
    )


def destination_exists(code: str) -> Fault:
    """The code is taken."""
    return Fault(
        Kind.CONFLICT,
        "DESTINATION_EXISTS",
        vi=f"Mã nơi nhận “{code}” đã được dùng. Hãy chọn mã khác.",
        en=f"The code “{code}” is taken. Choose another one.",
        metadata={"destination": code},
    )


def address_refused(vi: str, en: str) -> Fault:
    """A subscriber's address may not be called."""
    violation = FieldViolation("destination.endpoint", "ADDRESS_REFUSED", vi, en)
    return Fault(Kind.INVALID, "ADDRESS_REFUSED", vi=vi, en=en, violations=[violation])


def unknown_reconciliation(reconciliation_id: int) -> Fault:
    """There is no such comparison."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_RECONCILIATION",
        vi=f"Không có lần đối soát số {reconciliation_id} trong phạm vi này.",
        en=f"There is no comparison {reconciliation_id} within this unit.",
        metadata={"reconciliation_id": str(reconciliation_id)},
    )


def file_too_large(limit: int) -> Fault:
    """A file of too many bytes."""
    size = f"{limit / 1_000_000:g} MB"
    return Fault(
        Kind.INVALID,
        TOO_LARGE,
        vi=f"Tệp lớn hơn mức cho phép {size}. Hãy chia thành nhiều tệp, ví dụ theo khối hoặc theo lớp.",
        en=f"The file is larger than the {size} that are allowed. Split it, for example by grade or class.",
        metadata={"limit": str(limit)},
    )


def request_id_reused(request_id: str) -> Fault:
    """A file under the request id of another one."""
    return Fault(
        Kind.EXISTS,
        "REQUEST_ID_REUSED",
        vi=f"request_id “{request_id}” đã dùng cho một tệp khác. Hãy đặt mã mới cho tệp này.",
        en=f"The request id “{request_id}” was used for another file. Give this one a new id.",
        metadata={"request_id": request_id},
    )


def unknown_import(import_id: int) -> Fault:
    """No import has this id."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_IMPORT",
        vi=f"Đơn vị này không có lượt nạp tệp số {import_id}. Hãy kiểm tra số và đơn vị.",
        en=f"This unit has no import {import_id}. Check the id and the unit.",
        metadata={"import_id": str(import_id)},
    )


def reason_missing() -> Fault:
    """Something that waits for a person is rejected, and nobody will know why."""
    return invalid(
        "decision_reason",
        vi="Thiếu lý do từ chối. Hãy ghi lý do để trường và người xem sau này biết vì sao; không ghi tên ai.",
        en="The reason is missing: say why it is rejected, for the school and who looks later. Name nobody in it.",
    )


def not_to_be_decided(declaration_id: str, state: FullState) -> Fault:
    """A declaration of which that cannot be said any more, or not yet."""
    why = _DECLARED[state]
    return Fault(
        Kind.PRECONDITION,
        "WRONG_STATE",
        vi=f"Không làm được việc này với đợt “{declaration_id}”: {why.vi}",
        en=f"That cannot be done with declaration “{declaration_id}”: {why.en}",
        metadata={"state": state.name},
    )


_DECLARED = {
    FullState.OPEN: Text(
        "chưa nhận đủ các lô của đợt này. Hãy đợi phần mềm gửi xong.",
        "not all of its batches have come. Wait until the software has sent them.",
    ),
    FullState.DONE: Text(
        "những bản ghi mà đợt này thiếu đã được xóa. Nếu xóa nhầm, hãy yêu cầu phần mềm gửi lại đầy đủ với phiên bản "
        "cao hơn.",
        "what it lacked is deleted. If that was wrong, have the software send everything again in a higher version.",
    ),
    FullState.HELD: Text(
        "đã có người xác nhận, có thể một phần đã xóa, nên không từ chối được nữa. Hãy tải lại trang; nếu đợt vẫn còn "
        "chờ, hãy xác nhận lại để làm cho xong.",
        "somebody confirmed it, and some of it may be gone, so it cannot be rejected any more. List it again; where it "
        "still waits, confirm it again to have it finished.",
    ),
    FullState.UNSURE: Text(
        "có dòng không cho biết là bản ghi nào nên không xóa gì. Hãy sửa các dòng ấy ở nguồn rồi gửi lại đầy đủ.",
        "rows of it do not say which record they are, so nothing is deleted. Correct them and send everything again.",
    ),
    FullState.SUPERSEDED: Text(
        "đã có đợt khai đầy đủ mới hơn thay thế. Hãy tải lại trang để xem đợt mới.",
        "a later declaration has taken its place. List them again to see that one.",
    ),
    FullState.REJECTED: Text(
        "đã có người từ chối, không xóa gì. Nếu các bản ghi thật sự không còn, hãy yêu cầu phần mềm gửi lại đầy đủ "
        "với phiên bản cao hơn rồi xác nhận đợt mới.",
        "somebody rejected it, and nothing is deleted. Where the records are gone indeed, have the software send "
        "everything again in a higher version and confirm that.",
    ),
}


def wrong_state(state: ImportState) -> Fault:
    """An import of which that cannot be asked any more, or not yet."""
    return Fault(
        Kind.PRECONDITION,
        "WRONG_STATE",
        vi=f"Lượt nạp tệp đang ở trạng thái {_STATES[state]}, không làm được việc này. Hãy tải lại trang để xem.",
        en=f"The import is {state.name.lower().replace('_', ' ')}; that cannot be done now. Get it again to see.",
        metadata={"state": state.name},
    )


_STATES = {
    ImportState.QUEUED: "chờ xử lý",
    ImportState.AWAITING_CONFIRMATION: "chờ xác nhận",
    ImportState.RUNNING: "đang nạp",
    ImportState.SUCCEEDED: "đã xong",
    ImportState.FAILED: "không nạp được",
    ImportState.CANCELLED: "đã hủy",
}


def not_for_its_sender(import_id: int) -> Fault:
    """A file of which much would be gone, confirmed by who only sends data."""
    return Fault(
        Kind.DENIED,
        "NO_GRANT",
        vi=f"Lượt nạp số {import_id} được khai là đầy đủ và sẽ xóa nhiều bản ghi, nên bên gửi dữ liệu không tự xác "
        "nhận được. Hãy nhờ văn thư hoặc hiệu trưởng của trường xác nhận.",
        en=f"Import {import_id} is said to be complete and would delete many records: who sends data does not confirm "
        "that. Ask the clerk or the head of the school to confirm it.",
        metadata={"import_id": str(import_id)},
    )


def file_gone(import_id: int) -> Fault:
    """The file of an import is kept no longer."""
    return Fault(
        Kind.PRECONDITION,
        "WRONG_STATE",
        vi=f"Tệp của lượt nạp số {import_id} không còn được lưu. Danh sách lỗi từng dòng vẫn xem được.",
        en=f"The file of import {import_id} is kept no longer. Its problems can still be listed.",
        metadata={"state": "FILE_GONE"},
    )


def no_process() -> Fault:
    """No process could be started to open a file: another try may find room."""
    return Fault(
        Kind.UNAVAILABLE,
        "UNAVAILABLE",
        vi="Hệ thống đang quá tải nên chưa mở được tệp. Vui lòng thử lại sau giây lát.",
        en="The system is too busy to open a file now. Please try again shortly.",
    )


def workbook_failed() -> Fault:
    """A workbook whose making broke off: the operators find the cause in the log."""
    return Fault(
        Kind.PRECONDITION,
        "WORKBOOK_FAILED",
        vi="Không lập được tệp Excel này. Hãy thử lại; nếu vẫn lỗi, gửi mã trace_id cho bộ phận vận hành.",
        en="The workbook could not be made. Try again; if it fails again, give the trace_id to your operator.",
    )


def not_one_school() -> Fault:
    """A template, or a complete file, of what is no single school."""
    return invalid(
        "unit",
        vi="Việc này chỉ làm được cho một trường và một loại dữ liệu. Hãy ghi mã trường và `collection`.",
        en="This is for one school and one collection. Name the school and the collection.",
    )


def no_school(unit: str) -> Fault:
    """The coverage of what is no school."""
    shown = shortened(unit)
    return invalid(
        "school",
        vi=f"“{shown}” không phải là trường hay nhóm trẻ. Hãy ghi mã trường; của cả một đơn vị thì dùng danh sách.",
        en=f"“{shown}” is no school or childcare group. Write a school's code; of a whole unit ask for the list.",
    )


def declaration_id_reused(declaration_id: str) -> Fault:
    """A batch declares something else than its declaration, or comes after its end."""
    return Fault(
        Kind.INVALID,
        "DECLARATION_ID_REUSED",
        vi=f"Mã khai báo “{declaration_id}” đã dùng cho một lần khai khác hoặc đã kết thúc. Mọi lô của một lần khai "
        "phải ghi cùng trường, năm học, loại dữ liệu, phiên bản và số lô; hãy dùng mã mới.",
        en=f"The declaration id {declaration_id} was used for another declaration, or that is over. All batches of one "
        "name the same school, school year, collection, version and number of batches; use a new id.",
        metadata={"declaration_id": declaration_id},
    )


def declared_elsewhere(declaration_id: str, unit_id: int) -> Fault:
    """A batch is for another unit than those of its declaration before."""
    return Fault(
        Kind.INVALID,
        "DECLARATION_ID_REUSED",
        vi=f"Mã khai báo “{declaration_id}” của trường này đã dùng khi gửi cho đơn vị khác ({unit_id}). Mọi lô "
        "của một lần khai phải gửi cho cùng một đơn vị; hãy gửi cho đơn vị đó hoặc dùng mã mới.",
        en=f"The declaration id {declaration_id} of this school was used in a push for another unit ({unit_id}). All "
        "batches of one declaration are sent for the same unit: send this one there, or use a new id.",
        metadata={"declaration_id": declaration_id, "unit": str(unit_id)},
    )


def not_declarable(field: str, matter: Text) -> Fault:
    """A declaration of everything that cannot be taken."""
    return invalid(field, vi=matter.vi, en=matter.en)


def unknown_declaration(declaration_id: str) -> Fault:
    """No declaration of everything has this id, below this unit."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_DECLARATION",
        vi=f"Không có lần khai báo đầy đủ “{declaration_id}” của nguồn này trong đơn vị này.",
        en=f"There is no declaration of everything {declaration_id} of this source in this unit.",
        metadata={"declaration_id": declaration_id},
    )


def several_schools(declaration_id: str) -> Fault:
    """A declaration id that several schools below the unit have."""
    return invalid(
        "school",
        vi=f"Nhiều trường trong đơn vị này có lần khai báo đầy đủ “{declaration_id}” của nguồn này. Hãy ghi rõ trường "
        "bằng `school`.",
        en=f"Several schools in this unit have a declaration of everything {declaration_id} of this source. Say which "
        "by `school`.",
    )


def overtaken(by: Import) -> Fault:
    """A file that a later one of its unit, source and school year leaves nothing to say."""
    name, number = shortened(by.order.file_name), by.import_id
    return Fault(
        Kind.PRECONDITION,
        "OVERTAKEN",
        vi=f"Lượt nạp số {number} (tệp “{name}”) của cùng đơn vị, nguồn và năm học được gửi sau lượt này và đã hoặc "
        "đang được ghi nhận, nên lượt này dừng lại để không xóa hay ghi đè dữ liệu mới hơn. Nếu tệp này vẫn đúng, "
        "hãy gửi lại: tệp sẽ được so với dữ liệu hiện có.",
        en=f"Import {number} (file “{name}”) of the same unit, source and school year was sent after this one and is "
        "stored, or being stored, so this one stopped instead of deleting or overwriting what is newer. If the file is "
        "still right, send it again: it is compared with what is held now.",
        metadata={"import_id": str(number)},
    )


def unknown_quarantined_row(row_id: int) -> Fault:
    """No row of the quarantine has this id, below this unit."""
    return Fault(
        Kind.NOT_FOUND,
        "UNKNOWN_QUARANTINED_ROW",
        vi=f"Không có dòng số {row_id} trong khu chờ xử lý của đơn vị này: có thể dòng đã được xử lý xong.",
        en=f"There is no row {row_id} in this unit's quarantine: it may have been settled.",
        metadata={"quarantined_row_id": str(row_id)},
    )


def no_such_place(path: str) -> Fault:
    """A correction of a field that a row cannot have."""
    shown = shortened(path)
    return invalid(
        "values",
        vi=f"Dòng này không có trường dữ liệu “{shown}”. Hãy sửa trường mà lỗi đã nêu; để bỏ một trường thừa của dòng, "
        "hãy sửa nó thành giá trị trống.",
        en=f"The row has no field “{shown}”. Correct the one that its problem says; to take out one that is too much, "
        "correct it to nothing.",
    )


def school_beyond(school: str, unit: str) -> Fault:
    """A correction to a school that the unit asked for does not have."""
    shown = shortened(school)
    vi = (
        f"Đơn vị “{unit}” không có trường “{shown}”. Hãy ghi mã một trường thuộc đơn vị này; dòng của trường khác thì "
        "gửi lại cho trường ấy."
    )
    en = f"“{unit}” has no school “{shown}”. Name a school of this unit; send the row of another school for that one."
    violation = FieldViolation("values", SCHOOL_OUTSIDE_UNIT, vi, en)
    return Fault(Kind.INVALID, SCHOOL_OUTSIDE_UNIT, vi=vi, en=en, violations=[violation])


def not_gone_by_correction(field: str) -> Fault:
    """A correction that would delete a record that the row did not say to be gone."""
    return invalid(
        "values",
        vi=f"Không báo xóa bản ghi ({field}) bằng cách sửa dòng được. Hãy báo xóa ở nguồn rồi gửi lại.",
        en=f"A correction does not report a record as gone ({field}). Report it at the source and send it again.",
    )


def not_another_record() -> Fault:
    """A correction after which the row would be of another record or version, though not that was wrong with it."""
    return invalid(
        "values",
        vi="Không sửa dòng thành bản ghi khác (loại, trường học, mã, mã cũ) hay phiên bản khác được, trừ khi chính "
        "trường dữ liệu đó bị từ chối. Hãy sửa trường mà lỗi đã nêu; nếu mã sai, hãy sửa ở nguồn rồi gửi lại.",
        en="A correction makes no other record of a row (type, school, key, former key) and no other version, unless "
        "that field was what was refused. Correct the field that the problem names; where the key is wrong, correct it "
        "at the source and send it again.",
    )


def not_correctable() -> Fault:
    """A row that is no object, and so has no fields to correct."""
    return invalid(
        "values",
        vi="Dòng này không đọc được nên không sửa tại đây được. Hãy sửa ở nguồn rồi gửi lại.",
        en="The row cannot be read and so cannot be corrected here. Correct it at its source and send it again.",
    )
