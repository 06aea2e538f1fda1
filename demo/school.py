"""What one school's software would send for a school year, in the names of the ministry's specification (QĐ 4998).

A cohort keeps its people from year to year: the pupils of grade 7 are last year's of grade 6. Plausible defects are
planted where `School` says so.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any

from demo.people import Person, person
from demo.province import GRADES, LOWER, PRESCHOOL, PRIMARY, SEED, UPPER, School

Row = dict[str, Any]

AGE_OF_GRADE = {f"{grade:02d}": grade + 5 for grade in range(1, 13)} | {"15": 2, "16": 3, "17": 4, "18": 5}
SUBJECTS = {
    PRIMARY: ("TOAN", "TIENG_VIET", "DAO_DUC", "TNXH"),
    LOWER: ("TOAN", "NGU_VAN", "NGOAI_NGU", "KHTN", "LSDL", "GDCD", "CONG_NGHE", "TIN"),
    UPPER: ("TOAN", "NGU_VAN", "NGOAI_NGU", "LICH_SU", "VAT_LI", "HOA_HOC", "SINH_HOC", "TIN"),
}
COMMENT_SUBJECTS = ("GDTC", "NGHE_THUAT")
# Qualities and general competences of TT 27/2020.
QUALITIES = ("YEU_NUOC", "NHAN_AI", "CHAM_CHI", "TRUNG_THUC", "TRACH_NHIEM", "TU_CHU", "GIAO_TIEP", "GIAI_QUYET_VAN_DE")


@dataclass(frozen=True)
class Pupil:
    """A pupil of one school year: person, class, status and the key that stays the same from year to year."""

    key: str
    person: Person
    grade: str
    class_key: str
    status: str


def roster(school: School, year: int) -> list[Pupil]:
    """Return the pupils of a school in a school year."""
    pupils: list[Pupil] = []
    for grade in _grades(school):
        classes = class_keys(school, grade)
        sizes = [_size(school, year, key) for key in classes]
        entry = year - _grades(school).index(grade)
        for number in range(sum(sizes)):
            rng = random.Random(f"{SEED}:{school.code}:{entry}:{number}")
            late = 1 if rng.random() < 0.01 else 0
            born = year - AGE_OF_GRADE[grade] - late
            # Apart from those of other schools, and late ones from those a year above them.
            serial = 251 * (200 * int(school.code[3:5]) + int(school.code[5:])) + number + late * 500_000
            who = person(rng, district=school.district, birth_year=born, serial=serial)
            seat = _seat(sizes, number)
            pupils.append(
                Pupil(
                    key=f"{school.code}{entry % 100:02d}{number:04d}",
                    person=who,
                    grade=grade,
                    class_key=classes[seat],
                    status=_status(rng, year),
                )
            )
    return pupils


def _grades(school: School) -> tuple[str, ...]:
    return ("15",) if school.kind == "childcare_group" else GRADES[school.level]


def class_keys(school: School, grade: str) -> list[str]:
    """Return the keys of a grade's classes, for example `6A`; the school year stands beside them."""
    label = str(int(grade)) if int(grade) <= 12 else {"15": "NT", "16": "MGB", "17": "MGN", "18": "MGL"}[grade]
    return [f"{label}{'ABCDEFGHIJKLMN'[index]}" for index in range(school.classes_per_grade)]


def _size(school: School, year: int, class_key: str) -> int:
    rng = random.Random(f"{SEED}:{school.code}:{year}:{class_key}")
    size = max(5, school.class_size + rng.randint(-5, 3))
    if school.oversize and "A" in class_key and class_key[0] in "16":
        size = {PRIMARY: 38, LOWER: 48}.get(school.level, size + 4)
    return size


def _seat(sizes: list[int], number: int) -> int:
    for index, size in enumerate(sizes):
        if number < size:
            return index
        number -= size
    return len(sizes) - 1


def _status(rng: random.Random, year: int) -> str:
    draw = random.Random(f"{rng.random()}:{year}").random()
    for status, share in (("05", 0.002), ("04", 0.004), ("02", 0.008), ("03", 0.001)):
        if draw < share:
            return status
        draw -= share
    return "01"


def profile_row(school: School, year: int, version: int) -> Row:
    """Return the school's own record."""
    return {
        **envelope("TRUONG", school, year, version),
        "TEN": school.name,
        "MA_NHOM_CAP_HOC": school.level,
        "XA_PHUONG_ID": school.commune.today,
        "MA_LOAI_HINH_TRUONG": "1",
        "MA_LOAI_TRUONG": "PTDTBT" if school.mountain and school.level == LOWER else "THUONG",
        "MA_KHU_VUC": "04" if school.mountain else "03",
        "IS_DAT_CHUAN_QG": "1" if int(school.code) % 3 else "0",
        "IS_2_BUOI_NGAY": "1" if school.level in {PRESCHOOL, PRIMARY} else "0",
        "IS_DIEN_LUOI": "1",
        "IS_NGUON_NUOC_SACH": "1",
        "KIEM_DINH_CAP_DO": "2",
    }


def staff_rows(school: School, year: int, version: int) -> Iterator[Row]:
    """Yield the staff: about the norm of teachers a class, a head, a deputy and two employees."""
    classes = school.classes_per_grade * len(_grades(school))
    norm = {PRESCHOOL: 2.0, PRIMARY: 1.4, LOWER: 1.8, UPPER: 2.2}[school.level]
    posts = ["01", "02", *["03"] * max(2, round(classes * norm)), "04", "04"]
    for number, post in enumerate(posts):
        rng = random.Random(f"{SEED}:{school.code}:staff:{number}")
        who = person(rng, district="506" if rng.random() < 0.6 else school.district, birth_year=rng.randint(1966, 2001))
        subject = rng.choice(SUBJECTS.get(school.level, ("MN",)))
        yield {
            **envelope("GIAO_VIEN", school, year, version),
            "GIAO_VIEN_ID": f"GV{school.code}{number:03d}",
            "HO_TEN": who.name,
            "NGAY_SINH": _vietnamese(who.birth_date),
            "MA_GIOI_TINH": who.sex,
            "MA_DAN_TOC": who.ethnic_group,
            "MA_TRANG_THAI_CAN_BO": "01" if rng.random() < 0.985 else "06",
            "SO_CMTND": who.personal_id,
            "MA_NHOM_CAN_BO": post,
            "MA_HINH_THUC_HOP_DONG": "HD68" if post == "04" else "VC",
            "MA_TRINH_DO_CHUYEN_MON": "CD" if school.level == PRESCHOOL and rng.random() < 0.3 else "DH",
            "MA_MON_DAY": subject if post == "03" else "",
            "SO_TIET_THUC_DAY_TUAN": str(rng.randint(15, 23)),
        }


def class_rows(school: School, year: int, version: int) -> Iterator[Row]:
    """Yield the classes."""
    number = 2
    for grade in _grades(school):
        for key in class_keys(school, grade):
            yield {
                **envelope("LOP", school, year, version),
                "MA": key,
                "TEN": key,
                "MA_KHOI": grade,
                "GIAO_VIEN_ID": f"GV{school.code}{number:03d}",
                "IS_DAY_2_BUOI_NGAY": "1" if school.level in {PRESCHOOL, PRIMARY} else "0",
                "IS_LOP_GHEP": "1" if school.mountain and school.level == PRIMARY and key.endswith("B") else "0",
                "IS_BAN_TRU": "1" if school.level in {PRESCHOOL, PRIMARY} else "0",
            }
            number += 1


def pupil_rows(school: School, pupils: list[Pupil], year: int, version: int) -> Iterator[Row]:
    """Yield the pupils; a defective school has unknown codes and bad dates, which are refused, and one pupil twice."""
    for index, pupil in enumerate(pupils):
        row = _pupil_row(school, pupil, year, version)
        if school.defective and index % 97 == 13:
            row["MA_DAN_TOC"] = "99"
        if school.defective and index % 211 == 17:
            row["NGAY_SINH"] = "31/02/2015"
        yield row
        if school.defective and index == 5:
            yield {**row, "HOC_SINH_ID": f"{school.code}D{index:05d}", "MA": ""}


def _pupil_row(school: School, pupil: Pupil, year: int, version: int) -> Row:
    who = pupil.person
    rng = random.Random(f"{SEED}:{pupil.key}:more")
    poor = rng.random() < (0.35 if school.mountain else 0.04)
    return {
        **envelope("HOC_SINH", school, year, version),
        "HOC_SINH_ID": pupil.key,
        "MA": f"4{who.personal_id[6:]}{who.personal_id[3:6]}",
        "MA_LOP": pupil.class_key,
        "MA_KHOI": pupil.grade,
        "HO_TEN": who.name,
        "NGAY_SINH": _vietnamese(who.birth_date),
        "MA_GIOI_TINH": who.sex,
        "MA_DAN_TOC": who.ethnic_group,
        "MA_TRANG_THAI_HIEN_TAI": pupil.status,
        "MA_LY_DO_THOI_HOC": "01" if pupil.status == "05" else "",
        "MA_CONG_DAN_ID": who.personal_id,
        "MA_LOAI_KHUYET_TAT": "05" if rng.random() < 0.006 else "",
        "IS_HO_NGHEO": "1" if poor else "0",
        "XA_PHUONG_ID": school.commune.today,
        "TEN_ME": person(rng, district=school.district, birth_year=1985).name,
    }


def register_rows(school: School, pupils: list[Pupil], year: int, days: list[date], version: int) -> Iterator[Row]:
    """Yield one attendance register a class and day; absences rise after stormy days and with distance from town."""
    by_class: dict[str, list[str]] = {}
    for pupil in pupils:
        if pupil.status in {"01", "02", "03"}:
            by_class.setdefault(pupil.class_key, []).append(pupil.key)
    for day in days:
        stormy = random.Random(f"{SEED}:storm:{day.isoformat()}").random() < 0.05
        share = (0.05 if school.mountain else 0.02) * (4 if stormy else 1)
        for class_key, keys in by_class.items():
            rng = random.Random(f"{SEED}:{school.code}:{class_key}:{day.isoformat()}")
            absent = [key for key in keys if rng.random() < share]
            yield {
                **envelope("DIEM_DANH", school, year, version),
                "MA_LOP": class_key,
                "NGAY": day.isoformat(),
                "BUOI": "1",
                "SI_SO": str(len(keys)),
                "VANG": [{"HOC_SINH_ID": key, "LOAI": "P" if rng.random() < 0.7 else "K"} for key in absent],
            }


def result_rows(school: School, pupils: list[Pupil], year: int, stage: str, version: int) -> Iterator[Row]:
    """Yield results of a stage: under TT 27/2020 in primary school, under TT 22/2021 above."""
    if school.level == PRESCHOOL:
        return
    for index, pupil in enumerate(pupils):
        if pupil.status not in {"01", "02", "03"}:
            continue
        rng = random.Random(f"{SEED}:{pupil.key}:{year}:{stage}")
        result = (_primary_result if school.level == PRIMARY else _secondary_result)(school, pupil, year, stage)
        if school.defective and index % 37 == 5 and result["DIEM_MONS"][0]["DIEM"] <= 9:
            result["DIEM_MONS"][0]["DIEM"] += 1  # a slip, which computing it again finds
        yield {
            **envelope("KET_QUA", school, year, version),
            "HOC_SINH_ID": pupil.key,
            "MA_LOP": pupil.class_key,
            "MA_KHOI": pupil.grade,
            "GIAI_DOAN": stage,
            "SO_NGAY_NGHI": str(min(60, int(rng.expovariate(0.35)))),
            **result,
        }


def _primary_result(school: School, pupil: Pupil, year: int, stage: str) -> Row:
    rng = random.Random(f"{SEED}:{pupil.key}:{year}:{stage}:marks")
    marks = {code: float(round(_mark(rng, pupil))) for code in SUBJECTS[school.level]}
    lowest = min(marks.values())
    level = "HTXS" if lowest >= 9 else "HTT" if lowest >= 7 else "HT" if lowest >= 5 else "CHT"
    result: Row = {
        "THONG_TU": "TT27",
        "MA_HOC_LUC": level,
        "IS_LEN_LOP": "",
        "DIEM_MONS": [
            {"MA_MON_HOC": code, "DIEM": mark, "MUC": "T" if mark >= 7 else "H" if mark >= 5 else "C"}
            for code, mark in marks.items()
        ],
    }
    if stage == "CN":
        reached = "T" if lowest >= 7 else "D" if lowest >= 5 else "C"
        result["IS_LEN_LOP"] = "0" if level == "CHT" else "1"
        result["PHAM_CHAT_NANG_LUCS"] = [{"MA": code, "MUC": reached} for code in QUALITIES]
    return result


def _secondary_result(school: School, pupil: Pupil, year: int, stage: str) -> Row:
    terms = {term: _term(school, pupil, year, term) for term in ((1, 2) if stage == "CN" else (int(stage[-1]),))}
    conduct = "T" if random.Random(f"{SEED}:{pupil.key}:{year}:{max(terms)}:conduct").random() < 0.9 else "K"
    subjects: list[Row] = []
    for code in SUBJECTS[school.level]:
        if stage == "CN":
            subjects.append({"DIEM": _tenths(terms[1][code]["DIEM"] * 10 + terms[2][code]["DIEM"] * 20, 3)})
        elif stage.startswith("GK"):
            subjects.append({"DIEM": terms[max(terms)][code]["DIEM_GK"]})
        else:
            subjects.append(terms[max(terms)][code])
        subjects[-1] = {"MA_MON_HOC": code, **subjects[-1]}
    values = sorted((subject["DIEM"] for subject in subjects), reverse=True)
    level = _secondary_level(values)
    best = level == conduct == "T"
    return {
        "THONG_TU": "TT22",
        "MA_HOC_LUC": level,
        "MA_HANH_KIEM": conduct,
        "MA_DANH_HIEU": ("XS" if values[5] >= 9 else "G") if best and stage == "CN" else "",
        "IS_LEN_LOP": ("0" if level == "CD" else "1") if stage == "CN" else "",
        "DIEM_MONS": [*subjects, *({"MA_MON_HOC": code, "MUC": "D"} for code in COMMENT_SUBJECTS)],
    }


def _term(school: School, pupil: Pupil, year: int, term: int) -> dict[str, Row]:
    """Return the marks of a term by subject, averaged as Article 9.1 of TT 22/2021 says."""
    rng = random.Random(f"{SEED}:{pupil.key}:{year}:{term}:marks")
    marks: dict[str, Row] = {}
    for code in SUBJECTS[school.level]:
        regular, midterm, final = [_mark(rng, pupil) for _ in range(3)], _mark(rng, pupil), _mark(rng, pupil)
        weighed = sum(regular) + 2 * midterm + 3 * final
        average = _tenths(weighed * 10, len(regular) + 5)
        marks[code] = {"DIEM": average, "DIEM_TX": regular, "DIEM_GK": midterm, "DIEM_CK": final}
    return marks


def _mark(rng: random.Random, pupil: Pupil) -> float:
    talent = random.Random(f"{SEED}:{pupil.key}:talent").gauss(6.9, 1.2)
    return round(min(10.0, max(1.0, rng.gauss(talent, 0.9))), 1)


def _tenths(tenths: float, shares: int) -> float:
    """Divide a sum of tenths and round it to one, ties up."""
    return (2 * round(tenths) + shares) // (2 * shares) / 10


def _secondary_level(values: list[float]) -> str:
    """Apply Article 9 of TT 22/2021 without its exception for a single subject, as some schools do."""
    if values[-1] >= 6.5 and values[5] >= 8.0:
        return "T"
    if values[-1] >= 5.0 and values[5] >= 6.5:
        return "K"
    return "D" if values[-1] >= 3.5 and values[5] >= 5.0 else "CD"


def school_days(today: date, year: int, count: int) -> list[date]:
    """Return the last school days up to yesterday, Monday to Friday, within the school year."""
    first, last = date(year, 9, 5), min(today - timedelta(days=1), date(year + 1, 5, 31))
    days = [last - timedelta(days=back) for back in range(count * 2 + 3)]
    return sorted(day for day in days if day >= first and day.weekday() < 5)[-count:]


def envelope(kind: str, school: School, year: int, version: int) -> Row:
    """Return what every row begins with."""
    return {
        "DOI_TUONG": kind,
        "TRUONG_ID": school.code,
        "NAM_HOC": f"{year}-{year + 1}",
        "PHIEN_BAN": version,
    }


def _vietnamese(day: str) -> str:
    return f"{day[8:]}/{day[5:7]}/{day[:4]}"
