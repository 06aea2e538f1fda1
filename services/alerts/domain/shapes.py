"""What a fact of each kind holds; conditions, texts and the page that writes rules are drawn from it.

A new kind of fact is an entry here and an adapter that makes facts of it; nothing else knows kinds one by one.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

Scalar = str | int | float | bool

CLASS_SIZE = "class_size"
PUPIL = "pupil"
ATTENDANCE_REPORT = "attendance_report"
ABSENCE_DAY = "absence_day"
CLASS_RESULTS = "class_results"
SCHOOL_FIGURES = "school_figures"
PUSHES = "pushes"
COVERAGE = "coverage"
TARGET = "target"
COVERAGE_SUM = "coverage_sum"
SCHOOL_FIGURES_SUM = "school_figures_sum"
CLASS_SIZE_SUM = "class_size_sum"
ATTENDANCE_SUM = "attendance_report_sum"
ABSENCE_SUM = "absence_day_sum"
STATE_HOURS = "state_hours"
WAITING_HOURS = "waiting_hours"
SCHOOL_YEAR = "school_year"
UNIT_OF_COUNT = "unit_of_count"
CLASS_KEY, CLASS_NAME = "class_key", "class_name"


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a fact, and what it is; `form` is what its texts are like where that is known, as `example`."""

    type: type[Scalar]
    name_vi: str
    name_en: str
    form: str = ""
    example: str = ""


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of fact; `personal` where it is about one person, whose alerts fewer roles see.

    `clock` is the field that counts the whole hours since a fact's `since`; empty: nothing runs. `subjects` says what
    the parts of its subjects are, `()` the unit itself. `sums` is the kind of facts of schools that it adds up for each
    unit above them; empty: it is of schools itself.
    """

    name_vi: str
    name_en: str
    fields: Mapping[str, Field]
    personal: bool = False
    clock: str = ""
    subjects: tuple[tuple[str, ...], ...] = ((),)
    sums: str = ""


_OF_YEAR, _OF_CLASS, _OF_PUPIL = ("year",), ("year", "class"), ("year", "pupil")
_OF_STAGE, _OF_GRADE, _OF_INDICATOR = ("year", "stage", "class"), ("year", "grade"), ("year", "indicator")
_YEAR = Field(int, "Năm học (năm đầu)", "School year (its first calendar year)")
_GRADE = Field(str, "Khối, mã hai chữ số", "Grade, two digits", r"(\d\d)?", "07")
_CLASS = Field(str, "Mã lớp", "Key of the class")
_CLASS_NAME = Field(str, "Tên lớp", "Name of the class")
_LEVEL = Field(str, "Loại đơn vị, như commune, department", "Kind of the unit, as commune, department")
_SCHOOLS = Field(int, "Số trường được cộng", "Schools that are added up")
_TODAY = Field(str, "Ngày", "Day")

KINDS: Mapping[str, Kind] = {
    CLASS_SIZE: Kind(
        "Sĩ số lớp",
        "Size of a class",
        {
            "name": Field(str, "Tên lớp", "Name of the class"),
            "grade": _GRADE,
            SCHOOL_YEAR: _YEAR,
            "size": Field(int, "Số học sinh", "Pupils"),
            "size_limit": Field(int, "Mức tối đa theo quy định; 0: chưa biết", "Legal limit; 0: none known"),
            "limit_source": Field(str, "Văn bản quy định mức", "Document the limit comes from"),
            "active": Field(bool, "Lớp đang tồn tại", "Whether the class exists"),
        },
        subjects=(_OF_CLASS,),
    ),
    COVERAGE: Kind(
        "Mức độ kết nối của trường, theo ngày học",
        "How far a school is connected, by school days",
        {
            "must_connect": Field(bool, "Trường phải kết nối", "Whether the school has to connect"),
            "ever_sent": Field(bool, "Đã từng gửi", "Whether it ever sent anything"),
            "state": Field(
                str,
                "Trạng thái: connected, late, failing hoặc silent; trống: chưa xét",
                "State: connected, late, failing or silent; empty: not looked at yet",
                "(connected|late|failing|silent)?",
                "silent",
            ),
            "reason": Field(str, "Mã lý do nặng nhất; trống: không có", "Gravest reason; empty: none"),
            "why": Field(str, "Vì sao, bằng lời (tiếng Việt)", "Why, in words (in Vietnamese)"),
            "state_since": Field(str, "Từ lúc, giờ Việt Nam", "Since when, time of Viet Nam"),
            STATE_HOURS: Field(int, "Số giờ ở trạng thái này", "Hours in this state"),
            "source": Field(str, "Phần mềm gửi gần nhất", "Source that last sent"),
            "expected": Field(int, "Số loại dữ liệu đến hạn", "Collections that are due"),
            "arrived": Field(int, "Trong đó đã có", "Of these, arrived"),
            "recent_rows": Field(int, "Số dòng gửi những ngày qua", "Rows sent of late"),
            "recent_rejected": Field(int, "Số dòng bị từ chối những ngày qua", "Of these, rows refused"),
            "rejected_share": Field(float, "Tỷ lệ dòng bị từ chối những ngày qua", "Share of rows refused of late"),
            "open_rows": Field(int, "Số dòng còn ở khu cách ly", "Rows that stand in the quarantine"),
        },
        clock=STATE_HOURS,
    ),
    PUSHES: Kind(
        "Đẩy dữ liệu của trường lên một nơi nhận (Bộ)",
        "Passing a school's records on to a destination (the ministry)",
        {
            "destination": Field(str, "Mã nơi nhận", "Code of the destination"),
            "waiting": Field(int, "Số bản ghi đang chờ đẩy", "Records that wait to be passed on"),
            "failed": Field(
                int, "Số bản ghi nơi nhận từ chối hoặc tổng hợp lỗi", "Records refused there, or not to be composed"
            ),
            "withheld": Field(int, "Số bản ghi chưa thuộc diện đẩy", "Records withheld"),
            "accepted": Field(int, "Số bản ghi nơi nhận đã nhận", "Records accepted"),
            WAITING_HOURS: Field(int, "Số giờ bản ghi lâu nhất đã chờ", "Hours that the oldest record has waited"),
            "last_success": Field(
                str,
                "Lần thành công gần nhất, giờ Việt Nam; —: chưa lần nào",
                "Last time something was accepted, time of Viet Nam; —: never",
            ),
            "problem_reason": Field(
                str, "Mã lý do cả trường chưa đẩy được; trống: đẩy được", "Why nothing can leave; empty: it can"
            ),
            "gap": Field(
                int,
                "Số bản ghi thiếu ở một bên hoặc khác nhau ở lần đối soát gần nhất",
                "Records missing on either side or differing, as of the last comparison",
            ),
            "compared": Field(
                str,
                "Lần đối soát gần nhất, giờ Việt Nam; —: chưa lần nào",
                "Last comparison, time of Viet Nam; —: never",
            ),
        },
        clock=WAITING_HOURS,
        subjects=(("destination",),),
    ),
    SCHOOL_FIGURES: Kind(
        "Số liệu của trường trong năm học",
        "Figures of a school in a school year",
        {
            SCHOOL_YEAR: _YEAR,
            "pupils": Field(int, "Số học sinh", "Pupils"),
            "classes": Field(int, "Số lớp", "Classes"),
            "staff": Field(int, "Số cán bộ, giáo viên, nhân viên", "Staff"),
            "pupils_per_class": Field(float, "Học sinh bình quân một lớp; 0: chưa có lớp", "Pupils a class; 0: none"),
            "pupils_per_staff": Field(float, "Học sinh trên một cán bộ; 0: chưa có", "Pupils per staff; 0: none"),
            "pupils_last_year": Field(int, "Số học sinh năm học trước; 0: chưa biết", "Pupils last year; 0: not known"),
            "change_share": Field(
                float, "Tăng, giảm học sinh so với năm trước (−0,1 là giảm 10%)", "Change of pupils against last year"
            ),
            "peer_pupils_per_class": Field(
                float,
                "Trung vị học sinh/lớp của các trường cùng đơn vị quản lý; 0: ít hơn 5 trường",
                "Median of pupils a class of the schools under the same unit; 0: fewer than 5 schools",
            ),
        },
        subjects=(_OF_YEAR,),
    ),
    PUPIL: Kind(
        "Chuyên cần và kết quả của một học sinh trong năm học",
        "Attendance and results of a pupil in a school year",
        {
            "pupil_key": Field(str, "Mã học sinh tại trường", "Key of the pupil at the school"),
            CLASS_KEY: _CLASS,
            CLASS_NAME: _CLASS_NAME,
            "grade": _GRADE,
            "grade_number": Field(int, "Lớp mấy, 1–12; 0: mầm non", "Grade as a number, 1 to 12; 0: preschool"),
            SCHOOL_YEAR: _YEAR,
            "in_stock": Field(bool, "Đang học tại trường", "Whether the pupil is at the school"),
            "absent_sessions": Field(
                int,
                "Số buổi nghỉ, tính một buổi/ngày, có phép và không phép",
                "Sessions absent, one a day, with and without permission",
            ),
            "reported_days": Field(int, "Số ngày lớp đã điểm danh", "Days the class reported"),
            "absent_share": Field(float, "Tỷ lệ ngày nghỉ trên ngày lớp đã điểm danh", "Share of reported days absent"),
            "unexcused_recent": Field(
                int,
                "Số ngày nghỉ không phép trong 30 ngày đến ngày điểm danh gần nhất",
                "Days absent without permission in the 30 days up to the last reported one",
            ),
            "unexplained_run": Field(
                int,
                "Số ngày nghỉ không phép liên tiếp đến ngày điểm danh gần nhất",
                "Consecutive days absent without permission up to the last reported one",
            ),
            "last_day": Field(str, "Ngày lớp điểm danh gần nhất", "Last day the class reported"),
            "stage": Field(str, "Giai đoạn của kết quả gần nhất", "Stage of the newest results"),
            "subjects_below_5": Field(int, "Số môn dưới 5,0", "Subjects below 5.0"),
            "subjects_below_3_5": Field(int, "Số môn dưới 3,5", "Subjects below 3.5"),
            "core_not_completed": Field(
                int, "Số môn Toán, Tiếng Việt chưa hoàn thành", "Of maths and Vietnamese, subjects not completed"
            ),
            "conduct_failed": Field(bool, "Rèn luyện Chưa đạt", "Whether conduct is not passed"),
            "attendance_flag": Field(int, "Dấu hiệu chuyên cần: 0, 1, 2", "Sign in attendance: 0, 1, 2"),
            "behaviour_flag": Field(int, "Dấu hiệu rèn luyện: 0, 2", "Sign in conduct: 0, 2"),
            "course_flag": Field(int, "Dấu hiệu học tập: 0, 1, 2", "Sign in results: 0, 1, 2"),
            "flag_count": Field(int, "Số mặt có dấu hiệu, 0–3", "In how many of the three there is a sign"),
            "reasons_vi": Field(str, "Các lý do, tiếng Việt", "Reasons in Vietnamese"),
            "reasons_en": Field(str, "Các lý do, tiếng Anh", "Reasons in English"),
        },
        personal=True,
        subjects=(_OF_PUPIL,),
    ),
    ATTENDANCE_REPORT: Kind(
        "Điểm danh trong ngày của trường",
        "What a school reported of the day's attendance",
        {
            SCHOOL_YEAR: _YEAR,
            "day": Field(str, "Ngày", "Day"),
            "school_day": Field(bool, "Là ngày học theo lịch năm học", "Whether it is a school day by the calendar"),
            "past_deadline": Field(bool, "Đã quá giờ phải báo", "Whether the time to report by is over"),
            "expected_classes": Field(int, "Số lớp phải báo", "Classes that have to report"),
            "reported_classes": Field(int, "Số lớp đã báo", "Classes that have reported"),
            "missing_classes": Field(int, "Số lớp chưa báo", "Classes that have not"),
            "reports_at_all": Field(
                bool, "Trường có gửi điểm danh trong 14 ngày qua", "Whether the school reported in the last 14 days"
            ),
        },
    ),
    ABSENCE_DAY: Kind(
        "Số vắng ngày gần nhất so với cùng thứ các tuần trước",
        "Absence on the last reported day against the same weekday before",
        {
            SCHOOL_YEAR: _YEAR,
            CLASS_KEY: Field(str, "Mã lớp; trống: toàn trường", "Key of the class; empty: the whole school"),
            CLASS_NAME: _CLASS_NAME,
            "day": Field(str, "Ngày", "Day"),
            "scheduled": Field(int, "Sĩ số phải có mặt", "Pupils expected"),
            "absent": Field(int, "Số vắng", "Pupils absent"),
            "expected_absent": Field(
                float, "Số vắng trung vị cùng thứ, quy về sĩ số", "Median of the same weekday, scaled to those expected"
            ),
            "weeks": Field(int, "Số tuần so sánh", "Weeks compared with"),
            "tail": Field(
                float,
                "Xác suất vắng từ ngần ấy trở lên nếu như mọi khi (Poisson)",
                "Probability of so many or more if all were as usual (Poisson)",
            ),
        },
        subjects=((), _OF_CLASS),
    ),
    CLASS_RESULTS: Kind(
        "Kết quả của một lớp ở một giai đoạn so với khối",
        "Results of a class at a stage against its grade",
        {
            SCHOOL_YEAR: _YEAR,
            CLASS_KEY: _CLASS,
            CLASS_NAME: _CLASS_NAME,
            "grade": _GRADE,
            "stage": Field(str, "Giai đoạn", "Stage"),
            "pupils": Field(int, "Số học sinh có kết quả", "Pupils with results"),
            "failing": Field(int, "Số em có môn dưới 5,0 hoặc chưa hoàn thành", "Pupils with a subject failed"),
            "grade_failing_share": Field(
                float, "Tỷ lệ này ở các lớp khác cùng khối", "The share in the grade's other classes"
            ),
            "mean_mark": Field(float, "Điểm trung bình; 0: không có điểm", "Mean mark; 0: none"),
            "grade_mean_mark": Field(float, "Điểm trung bình các lớp khác cùng khối", "Mean of the other classes"),
            "tail": Field(
                float,
                "Xác suất có từ ngần ấy em như vậy nếu giống khối (nhị thức)",
                "Probability of so many or more if the class were as its grade (binomial)",
            ),
        },
        subjects=(_OF_STAGE,),
    ),
    TARGET: Kind(
        "Chỉ tiêu của đơn vị trong năm học, bên cạnh giá trị đã đạt",
        "Target of a unit for a school year, beside what it has reached",
        {
            "level": _LEVEL,
            SCHOOL_YEAR: _YEAR,
            "indicator": Field(str, "Mã chỉ số", "Code of the indicator"),
            "name_vi": Field(str, "Tên chỉ số, tiếng Việt", "Name of the indicator in Vietnamese"),
            "name_en": Field(str, "Tên chỉ số, tiếng Anh", "Name of the indicator in English"),
            "measured": Field(
                bool,
                "Biết giá trị, của năm học đang chạy; nếu không, value, missed và distance trống",
                "Whether the value is known, of the running school year; else value, missed and distance are empty",
            ),
            "value": Field(float, "Giá trị đã đạt", "Value reached"),
            "target": Field(float, "Chỉ tiêu", "Target"),
            "missed": Field(
                bool,
                "Chưa đạt: dưới chỉ tiêu, hoặc trên nếu càng thấp càng tốt; chỉ số không có chiều tốt thì không xét",
                "Whether it is missed: below, or above where less is better; never where neither is better",
            ),
            "distance": Field(
                float, "Còn cách chỉ tiêu bao nhiêu, theo đơn vị của chỉ số", "How far from the target, in its unit"
            ),
            "reporting_share": Field(
                float, "Tỷ lệ trường đã gửi dữ liệu năm học", "Share of schools that have sent data of the school year"
            ),
            "source": Field(str, "Văn bản giao chỉ tiêu", "Document the target comes from"),
            UNIT_OF_COUNT: Field(
                str, "Đơn vị đếm của chỉ số, như percent, pupil", "What the indicator counts, such as percent, pupil"
            ),
        },
        subjects=(_OF_INDICATOR,),
    ),
    COVERAGE_SUM: Kind(
        "Mức độ kết nối của các trường trực thuộc một đơn vị",
        "How far the schools below a unit are connected",
        {
            "level": _LEVEL,
            "schools": Field(int, "Số trường phải kết nối", "Schools that have to connect"),
            "connected": Field(int, "Trong đó đã kết nối đủ", "Of these, connected"),
            "late": Field(int, "Trong đó chậm", "Of these, late"),
            "failing": Field(int, "Trong đó gửi lỗi", "Of these, failing"),
            "silent": Field(int, "Trong đó im lặng", "Of these, silent"),
            "connected_share": Field(float, "Tỷ lệ trường kết nối đủ", "Share of schools connected"),
            "silent_share": Field(float, "Tỷ lệ trường im lặng", "Share of schools silent"),
            "recent_rows": Field(int, "Số dòng gửi những ngày qua", "Rows sent of late"),
            "recent_rejected": Field(int, "Số dòng bị từ chối những ngày qua", "Of these, rows refused"),
            "rejected_share": Field(float, "Tỷ lệ dòng bị từ chối những ngày qua", "Share of rows refused of late"),
            "open_rows": Field(int, "Số dòng còn ở khu cách ly", "Rows that stand in the quarantine"),
        },
        sums=COVERAGE,
    ),
    SCHOOL_FIGURES_SUM: Kind(
        "Số liệu các trường trực thuộc một đơn vị trong năm học",
        "Figures of the schools below a unit in a school year",
        {
            "level": _LEVEL,
            SCHOOL_YEAR: _YEAR,
            "schools": _SCHOOLS,
            "pupils": Field(int, "Số học sinh", "Pupils"),
            "classes": Field(int, "Số lớp", "Classes"),
            "staff": Field(int, "Số cán bộ, giáo viên, nhân viên", "Staff"),
            "pupils_per_class": Field(float, "Học sinh bình quân một lớp; 0: chưa có lớp", "Pupils a class; 0: none"),
            "pupils_per_staff": Field(float, "Học sinh trên một cán bộ; 0: chưa có", "Pupils per staff; 0: none"),
            "pupils_last_year": Field(int, "Số học sinh năm học trước; 0: chưa biết", "Pupils last year; 0: not known"),
            "change_share": Field(
                float,
                "Tăng, giảm học sinh so với năm trước, ở các trường biết cả hai năm",
                "Change of pupils against last year, at schools that know both",
            ),
        },
        subjects=(_OF_YEAR,),
        sums=SCHOOL_FIGURES,
    ),
    CLASS_SIZE_SUM: Kind(
        "Sĩ số các lớp của các trường trực thuộc một đơn vị, chung và theo từng khối",
        "Sizes of the classes of the schools below a unit, of all grades and of each",
        {
            "level": _LEVEL,
            SCHOOL_YEAR: _YEAR,
            "grade": replace(
                _GRADE, name_vi=f"{_GRADE.name_vi}; trống: mọi khối", name_en=f"{_GRADE.name_en}; empty: all"
            ),
            "schools": _SCHOOLS,
            "classes": Field(int, "Số lớp đang tồn tại", "Classes that exist"),
            "size": Field(int, "Số học sinh", "Pupils"),
            "oversize": Field(int, "Số lớp vượt mức tối đa", "Classes above the legal limit"),
            "oversize_share": Field(float, "Tỷ lệ lớp vượt mức tối đa", "Share of classes above the legal limit"),
            "pupils_per_class": Field(float, "Học sinh bình quân một lớp", "Pupils a class"),
        },
        subjects=(_OF_YEAR, _OF_GRADE),
        sums=CLASS_SIZE,
    ),
    ATTENDANCE_SUM: Kind(
        "Điểm danh trong ngày của các trường trực thuộc một đơn vị",
        "What the schools below a unit reported of the day's attendance",
        {
            "level": _LEVEL,
            "day": _TODAY,
            "schools": Field(
                int, "Số trường có điểm danh và hôm nay học", "Schools that report and have lessons today"
            ),
            "past_deadline": Field(bool, "Đã quá giờ phải báo", "Whether the time to report by is over"),
            "expected_classes": Field(int, "Số lớp phải báo", "Classes that have to report"),
            "reported_classes": Field(int, "Số lớp đã báo", "Classes that have reported"),
            "missing_classes": Field(int, "Số lớp chưa báo", "Classes that have not"),
            "missing_share": Field(float, "Tỷ lệ lớp chưa báo", "Share of classes that have not"),
        },
        sums=ATTENDANCE_REPORT,
    ),
    ABSENCE_SUM: Kind(
        "Số vắng hôm nay của các trường trực thuộc một đơn vị so với cùng thứ các tuần trước",
        "Absence today at the schools below a unit against the same weekday before",
        {
            "level": _LEVEL,
            "day": _TODAY,
            "schools": Field(int, "Số trường hôm nay đã điểm danh", "Schools that reported today"),
            "scheduled": Field(int, "Sĩ số phải có mặt", "Pupils expected"),
            "absent": Field(int, "Số vắng", "Pupils absent"),
            "expected_absent": Field(float, "Số vắng thường lệ cùng thứ", "Usual absence of the same weekday"),
            "absent_share": Field(float, "Tỷ lệ vắng", "Share of pupils absent"),
            "usual_share": Field(float, "Tỷ lệ vắng thường lệ cùng thứ", "Usual share of the same weekday"),
        },
        sums=ABSENCE_DAY,
    ),
}
SHAPES: Mapping[str, Mapping[str, type[Scalar]]] = {
    kind: {name: one.type for name, one in known.fields.items()} for kind, known in KINDS.items()
}
PERSONAL = frozenset(kind for kind, known in KINDS.items() if known.personal)
SUMS: Mapping[str, str] = {known.sums: kind for kind, known in KINDS.items() if known.sums}
