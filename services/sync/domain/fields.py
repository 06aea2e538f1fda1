"""What our fields are called by people and what may be written in them, in both languages.

A test holds the table against the protos, so that a new rule is not left unexplained.
"""

from types import MappingProxyType
from typing import Final, NamedTuple

from services.sync.domain.words import Text, bare, same

INVALID_FIELD: Final = "INVALID_FIELD"
INVALID_DATE: Final = "INVALID_DATE"
DATES: Final = frozenset(
    {"birth_date", "day", "first_day", "last_day"}
)  # Whatever is wrong with one of these is INVALID_DATE.


class Described(NamedTuple):
    """A field in people's words."""

    called: Text
    wanted: Text


def _of(called_vi: str, called_en: str, wanted_vi: str, wanted_en: str) -> Described:
    return Described(Text(called_vi, called_en), Text(wanted_vi, wanted_en))


_DAY: Final = (
    "ngày dạng năm-tháng-ngày (YYYY-MM-DD), ví dụ 2015-09-30",
    "a day of the calendar as year-month-day (YYYY-MM-DD), e.g. 2015-09-30",
)
_GRADE: Final = (
    "khối 01–12 (phổ thông), 13–15 (nhà trẻ) hoặc 16–18 (mẫu giáo)",
    "a grade 01–12 (school), 13–15 (nursery) or 16–18 (kindergarten)",
)
_LEVEL: Final = (
    "cấp học 01 mầm non, 02 tiểu học, 03 THCS, 04 THPT hoặc 05 GDTX",
    "a level: 01 preschool, 02 primary, 03 lower secondary, 04 upper secondary or 05 continuing",
)
_CODE: Final = (
    "mã không quá 20 ký tự, không ghi tên thay cho mã",
    "a code of at most 20 characters, not a name",
)
_AREA: Final = ("diện tích tính bằng m², không âm", "an area in square metres, not below 0")
_LONG: Final = ("tối đa 2000 ký tự", "at most 2000 characters")
_UP_TO_100: Final = ("tối đa 100 ký tự", "at most 100 characters")
_CODE_OF_50: Final = ("mã không quá 50 ký tự", "a code of at most 50 characters")
_MARK: Final = ("số từ 0 đến 10, ví dụ 8.5", "a number from 0 to 10, e.g. 8.5")
_KEY: Final = ("khóa từ 1 đến 64 ký tự", "a key of 1 to 64 characters")
_FURTHER: Final = (
    "tối đa 400 trường dữ liệu, tên đến 80 và giá trị đến 65536 ký tự",
    "at most 400 fields, names up to 80 and values up to 65536 characters",
)

# Last name of a path, or its last two where the last alone says too little.
FIELDS: Final = MappingProxyType(
    {
        "school": _of(
            "mã trường",
            "school code",
            "mã trường dạng moet:49502001, tối đa 64 ký tự",
            "the school's code, such as moet:49502001, at most 64 characters",
        ),
        "key": _of(
            "khóa của bản ghi",
            "key of the record",
            "khóa từ 1 đến 64 ký tự, không đổi và không dùng lại",
            "a key of 1 to 64 characters that never changes and is never re-used",
        ),
        "previous_key": _of(
            "khóa cũ của bản ghi",
            "previous key of the record",
            "khóa đến 64 ký tự mà bản ghi mang trước khi đổi khóa",
            "a key of at most 64 characters that the record had before its key changed",
        ),
        "version": _of(
            "phiên bản",
            "version",
            "số nguyên từ 1 đến 4611686018427387904, tăng mỗi lần bản ghi thay đổi",
            "a whole number from 1 to 4611686018427387904 that rises with each change of the record",
        ),
        "deleted": _of("đã xóa", "deleted", "true hoặc false", "true or false"),
        "record": _of("bản ghi", "record", "đúng mô tả của loại bản ghi", "a record as its type is described"),
        "id": _of("mã", "code", "mã, không bỏ trống", "the code; it must not be empty"),
        "school_year": _of(
            "năm học",
            "school year",
            "năm đầu của năm học, từ 1990 đến 2100, ví dụ 2026",
            "the first year of the school year, 1990 to 2100, e.g. 2026",
        ),
        "school_profile.name": _of("tên trường", "name of the school", "tên từ 1 đến 200 ký tự", "1 to 200 characters"),
        "school_class.name": _of("tên lớp", "name of the class", "tên từ 1 đến 100 ký tự", "1 to 100 characters"),
        "levels": _of("các cấp học", "levels", *_LEVEL),
        "ownership": _of("loại hình", "ownership", *_CODE),
        "school_type": _of("loại trường", "type of school", *_CODE),
        "national_standard": _of("đạt chuẩn quốc gia", "national standard", "true hoặc false", "true or false"),
        "two_session": _of("học 2 buổi/ngày", "two sessions a day", "true hoặc false", "true or false"),
        "multi_grade": _of("lớp ghép", "multi-grade", "true hoặc false", "true or false"),
        "day_boarding": _of("bán trú", "day boarding", "true hoặc false", "true or false"),
        "further": _of("các trường dữ liệu khác", "further fields", *_FURTHER),
        "full_name": _of(
            "họ tên", "full name", "họ và tên đầy đủ, từ 1 đến 100 ký tự", "the full name, 1 to 100 characters"
        ),
        "birth_date": _of("ngày sinh", "date of birth", *_DAY),
        "sex": _of("giới tính", "sex", "0 chưa rõ, 1 nam hoặc 2 nữ", "0 unknown, 1 male or 2 female"),
        "ethnic_group": _of(
            "dân tộc", "ethnic group", "mã dân tộc theo danh mục, ví dụ 01", "a code of the catalogue, e.g. 01"
        ),
        "staff_group": _of("nhóm cán bộ", "staff group", *_CODE),
        "contract": _of("hình thức hợp đồng", "contract form", *_CODE),
        "qualification": _of("trình độ chuyên môn", "qualification", *_CODE),
        "staff_member.subject": _of("môn dạy", "subject taught", *_CODE),
        "subject_marks.subject": _of("mã môn học", "subject code", "mã môn từ 1 đến 20 ký tự", "1 to 20 characters"),
        "status": _of(
            "trạng thái",
            "status",
            "mã trạng thái theo danh mục, ví dụ 01",
            "a status code of the catalogue, e.g. 01",
        ),
        "personal_id": _of("số định danh", "identity number", "số định danh, tối đa 20 ký tự", "at most 20 characters"),
        "level": _of("cấp học", "level", *_LEVEL),
        "subject_marks.level": _of(
            "mức đánh giá",
            "level reached",
            "mức T, H, C, Đ hoặc CĐ, tối đa 10 ký tự",
            "a level T, H, C, Đ or CĐ, at most 10 characters",
        ),
        "grade": _of("khối", "grade", *_GRADE),
        "homeroom_key": _of("khóa giáo viên chủ nhiệm", "key of the homeroom teacher", *_KEY),
        "site_key": _of("khóa điểm trường", "key of the site", *_KEY),
        "class_key": _of("khóa của lớp", "key of the class", *_KEY),
        "pupil_key": _of("khóa của học sinh", "key of the pupil", *_KEY),
        "leaving_reason": _of("lý do thôi học", "reason for leaving", *_CODE),
        "ministry_code": _of(
            "mã của Bộ",
            "the ministry's code",
            "mã học sinh do Bộ cấp, tối đa 20 ký tự",
            "the pupil's code given by the ministry, at most 20 characters",
        ),
        "disability": _of("loại khuyết tật", "kind of disability", *_CODE),
        "policy_group": _of("diện chính sách", "policy group", *_CODE),
        "day": _of("ngày", "day", *_DAY),
        "session": _of("buổi", "session", "1 sáng hoặc 2 chiều", "1 morning or 2 afternoon"),
        "scheduled_count": _of("sĩ số", "pupils expected", "số nguyên từ 0 đến 1000", "a whole number from 0 to 1000"),
        "exceptions": _of("danh sách vắng", "absences", "tối đa 1000 học sinh", "at most 1000 pupils"),
        "kind": _of(
            "loại vắng",
            "kind of absence",
            "P có phép, K không phép hoặc M đi muộn",
            "P with permission, K without or M late",
        ),
        "reason": _of("lý do", "reason", "lý do, tối đa 200 ký tự", "at most 200 characters"),
        "stage": _of("giai đoạn", "stage", "GK1, CK1, GK2, CK2 hoặc CN", "GK1, CK1, GK2, CK2 or CN"),
        "regulation": _of("thông tư", "regulation", "TT27 hoặc TT22", "TT27 or TT22"),
        "learning_result": _of("kết quả học tập", "learning result", *_CODE),
        "conduct_result": _of("kết quả rèn luyện", "conduct result", *_CODE),
        "title": _of("danh hiệu", "title", *_CODE),
        "retraining": _of("rèn luyện lại", "retraining", "true hoặc false", "true or false"),
        "conduct_after_retraining": _of("rèn luyện sau rèn luyện lại", "conduct after retraining", *_CODE),
        "learning_after_retest": _of("học tập sau thi lại", "learning after the re-tests", *_CODE),
        "qualities": _of("phẩm chất, năng lực", "qualities", "tối đa 40 mục", "at most 40"),
        "quality": _of("mã phẩm chất, năng lực", "code of the quality", "mã từ 1 đến 40 ký tự", "1 to 40 characters"),
        "qualities.level": _of("mức phẩm chất, năng lực", "level of the quality", "mức T, Đ hoặc C", "T, Đ or C"),
        "absent_days": _of("số ngày nghỉ", "days absent", "số nguyên từ 0 đến 400", "a whole number from 0 to 400"),
        "promoted": _of("được lên lớp", "moves up", "true hoặc false", "true or false"),
        "subject_marks": _of("điểm các môn", "marks by subject", "tối đa 40 môn", "at most 40 subjects"),
        "mark": _of("điểm", "mark", *_MARK),
        "regular_marks": _of(
            "điểm thường xuyên",
            "regular marks",
            "tối đa 20 điểm, mỗi điểm từ 0 đến 10",
            "at most 20 marks from 0 to 10",
        ),
        "midterm_mark": _of("điểm giữa kì", "midterm mark", *_MARK),
        "final_mark": _of("điểm cuối kì", "final mark", *_MARK),
        "retest_mark": _of("điểm thi lại", "mark of the re-test", *_MARK),
        "facility.kind": _of("loại cơ sở vật chất", "kind of facility", *_CODE),
        "facility.name": _of("tên, địa điểm", "name", "tối đa 500 ký tự", "at most 500 characters"),
        "condition": _of("tình trạng", "condition", *_CODE_OF_50),
        "facility.ownership": _of("hình thức sở hữu", "ownership", *_CODE_OF_50),
        "quantity": _of("số lượng", "quantity", "số nguyên không âm", "a whole number, not below 0"),
        "area": _of("khu vực", "area", *_CODE),
        "facility.area": _of("diện tích", "area", *_AREA),
        "total_area": _of("tổng diện tích, diện tích xây dựng", "area of all, built area", *_AREA),
        "staff_key": _of("khóa của cán bộ", "key of the member of staff", *_KEY),
        "duty": _of("nhiệm vụ", "duty", *_CODE),
        "staff_assignment.subject": _of("mã môn học", "subject code", *_CODE_OF_50),
        "term": _of("học kỳ", "term", "1, 2 hoặc bỏ trống (cả năm)", "1, 2 or nothing (the whole year)"),
        "weekly_periods": _of("số tiết mỗi tuần", "periods a week", "số từ 0 đến 60", "a number from 0 to 60"),
        "post_share": _of("tỷ lệ biên chế", "share of a post", "số từ 0 đến 2", "a number from 0 to 2"),
        "first_day": _of("từ ngày", "first day", *_DAY),
        "last_day": _of("đến ngày", "last day", *_DAY),
        "conduct_entry": _of(
            "khen thưởng, kỷ luật",
            "entry of conduct",
            "mã của đúng một học sinh hoặc một cán bộ",
            "the key of one pupil or of one member of staff, not of both",
        ),
        "conduct_entry.kind": _of(
            "loại",
            "kind of entry",
            "khen thưởng (reward), kỷ luật (discipline) hoặc bạo lực (violence)",
            "reward, discipline or violence",
        ),
        "form": _of("mã hình thức", "code of the form", *_CODE_OF_50),
        "issuing_level": _of("cấp quyết định", "level that decided", *_UP_TO_100),
        "decision_number": _of("số quyết định", "number of the decision", *_UP_TO_100),
        "content": _of("nội dung", "content", *_LONG),
        "nutrition": _of("tình trạng dinh dưỡng", "state of nutrition", *_CODE_OF_50),
        "eyesight": _of("thị lực", "eyesight", "tối đa 200 ký tự", "at most 200 characters"),
        "findings": _of("kết luận", "findings", *_LONG),
        "height": _of("chiều cao", "height", "chiều cao tính bằng cm, 0 đến 250", "centimetres, 0 to 250"),
        "weight": _of("cân nặng", "weight", "cân nặng tính bằng kg, 0 đến 300", "kilograms, 0 to 300"),
        "classification": _of("loại tốt nghiệp", "class of the graduation", *_CODE_OF_50),
        "quality_report.stage": _of("giai đoạn báo cáo", "stage of the report", "DN, GN hoặc CN", "DN, GN or CN"),
        "retest_level": _of("mức thi lại", "level of the re-test", "mức Đ hoặc CĐ", "Đ or CĐ"),
    }
)
_ONE_FURTHER: Final = _of(
    "trường dữ liệu khác",
    "further field",
    "tên trường dữ liệu không quá 80 và giá trị không quá 65536 ký tự",
    "a name of at most 80 and a value of at most 65536 characters",
)
_ANY: Final = Text("giá trị theo mô tả của trường dữ liệu này", "a value as this field is described")


def described(path: str) -> Described:
    """The words for the field at our path, for example `result.subject_marks[2].mark`."""
    if path.endswith('"]'):
        return _ONE_FURTHER
    last = bare(path).split(".")[-2:]
    found = FIELDS.get(".".join(last)) or FIELDS.get(last[-1])
    return found or Described(same(last[-1]), _ANY)


def reason_of(path: str) -> str:
    """The reason for whatever is wrong with the field at our path."""
    return INVALID_DATE if path.rpartition(".")[2] in DATES else INVALID_FIELD
