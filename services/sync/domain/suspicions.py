"""What seems wrong with a whole file, found before any of it is stored: each a question to a person, not a refusal.

Compares what a file says with what is held: the same mistakes that a row's own rules cannot see. The bounds are data,
rows with validity and source (`rules/suspicions.json`).
"""

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import groupby
from typing import Any, Final

from services.sync.domain.sheets import folded
from services.sync.domain.words import Text, shortened

MOST_EXAMPLES: Final = 10
_YEARS: Final = re.compile(r"\b((?:19|20)\d\d)\s*[-–/]\s*((?:19|20)\d\d)\b")


class SuspicionKind(IntEnum):
    """What seems wrong, as the interface numbers it."""

    WRONG_SCHOOL_YEAR = 1
    SHIFTED_ROWS = 2
    OTHER_SCHOOL = 3
    MASS_DISAPPEARANCE = 4
    MASS_STALENESS = 5
    UNREAD_SHEETS = 6


@dataclass(frozen=True, slots=True)
class Suspicion:
    """A question to a person."""

    kind: SuspicionKind
    text: Text
    examples: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class SuspicionRule:
    """From where on something is no everyday change."""

    fewest: int
    disappearing_share: float
    stale_share: float
    shifted_share: float
    unknown_share: float
    same_grade_share: float
    valid_from: str
    valid_to: str
    source: str


@dataclass(frozen=True, slots=True)
class Fact:
    """A record of a file, as far as it is compared."""

    sheet: str
    row: int
    collection: str
    key: str
    group: str = ""  # Class, where rows follow each other by class.
    name: str = ""
    values: tuple[str, ...] = ()  # Marks, or the date of birth.
    grade: str = ""
    version: int = 0  # As the file says; 0: it does not.
    year: int = 0


@dataclass(frozen=True, slots=True)
class Held:
    """A record that is held, as far as it is compared."""

    name: str = ""
    values: tuple[str, ...] = ()
    version: int = 0
    source: str = ""


@dataclass(slots=True)
class Found:
    """All there is to compare."""

    school_year: int
    source: str
    # Of collections of which it holds everything: keys its source has here, and those that stand in it.
    owned: Mapping[str, Collection[str]] = field(default_factory=dict)
    there: Mapping[str, Collection[str]] = field(default_factory=dict)
    facts: list[Fact] = field(default_factory=list)
    held: dict[tuple[str, str], Held] = field(default_factory=dict)  # By collection and key, of the school year.
    names: dict[str, str] = field(default_factory=dict)  # Of pupils by key, for files of results.
    grades_before: dict[str, str] = field(default_factory=dict)  # By a pupil's code: the grade a year before.
    above: list[str] = field(default_factory=list)  # Texts above the tables.
    own_names: tuple[str, ...] = ()  # Names of the school,
    other_names: Mapping[str, str] = field(default_factory=dict)  # and of others, folded to as they are written.
    unread: Sequence[str] = ()  # Sheets that hold something and were not read.
    classes: Collection[str] = ()  # Keys of the school's classes, for files of pupils.


def read_rules(table: Mapping[str, Any]) -> list[SuspicionRule]:
    """The rules of a table such as `rules/suspicions.json`."""
    return [SuspicionRule(**entry | {"source": table["sources"][entry["source"]]}) for entry in table["rules"]]


def rule_on(rules: Iterable[SuspicionRule], day: str) -> SuspicionRule:
    """The rule in force on a day."""
    return next(one for one in rules if one.valid_from <= day and (not one.valid_to or day < one.valid_to))


def suspicions(found: Found, rule: SuspicionRule) -> list[Suspicion]:
    """What seems wrong, the gravest first."""
    checks: tuple[Callable[[Found, SuspicionRule], Iterator[Suspicion]], ...] = (
        _other_school,
        _school_year,
        _shifted,
        _disappearing,
        _unread,
        _stale,
    )
    return [one for check in checks for one in check(found, rule)]


def unknown_classes(found: Found) -> dict[str, list[str]]:
    """By sheet the classes that its pupils are of and that are neither held nor in the file: they may follow."""
    known = {*found.classes, *(one.key for one in found.facts if one.collection == "classes")}
    told: dict[str, set[str]] = {}
    for one in found.facts:
        if one.collection == "pupils" and one.group and one.group not in known:
            told.setdefault(one.sheet, set()).add(one.group.removesuffix(f".{one.year}"))
    return {sheet: sorted(classes) for sheet, classes in told.items()}


def is_mass(gone: int, held: int, rule: SuspicionRule) -> bool:
    """Whether so much would be gone that a person is asked: of few records, too, where it is all of them."""
    return gone > 0 and (gone == held or (gone >= rule.fewest and gone > rule.disappearing_share * held))


def _other_school(found: Found, rule: SuspicionRule) -> Iterator[Suspicion]:
    said = f" {' '.join(folded(text) for text in found.above)} "
    if not any(f" {folded(name)} " in said for name in found.own_names):
        for other, name in found.other_names.items():
            if f" {other} " in said:
                yield Suspicion(
                    SuspicionKind.OTHER_SCHOOL,
                    Text(
                        f"Đầu tệp ghi tên “{name}”, không phải trường đang nhận tệp. Hãy kiểm tra có chọn nhầm "
                        "tệp không.",
                        f"The file is headed “{name}”, which is not the school it is for. Check whether it is the "
                        "right one.",
                    ),
                )
                return
    for collection, facts in _by_collection(found):
        held = sum(1 for one, _ in found.held if one == collection)
        unknown = [one for one in facts if (collection, one.key) not in found.held]
        if (
            held >= rule.fewest
            and len(facts) >= max(rule.fewest, held / 2)
            and (len(unknown) >= rule.unknown_share * len(facts))
        ):
            yield Suspicion(
                SuspicionKind.OTHER_SCHOOL,
                Text(
                    f"{len(unknown)} trong {len(facts)} bản ghi mang mã mà trường này chưa từng có, trong khi "
                    "trường đang có "
                    f"{held} bản ghi. Có thể đây là tệp của trường khác, hoặc mã đã bị đặt lại.",
                    f"{len(unknown)} of {len(facts)} records bear codes that this school never had, while it has "
                    f"{held} "
                    "records. It may be another school's file, or codes were given anew.",
                ),
                tuple(one.key for one in unknown[:MOST_EXAMPLES]),
            )
            return


def _school_year(found: Found, rule: SuspicionRule) -> Iterator[Suspicion]:
    year = found.school_year
    if not year:
        return
    told = f"{year}-{year + 1}"
    said = {int(first) for text in found.above for first, last in _YEARS.findall(text) if int(last) == int(first) + 1}
    if said and year not in said:
        other = min(said)
        yield Suspicion(
            SuspicionKind.WRONG_SCHOOL_YEAR,
            Text(
                f"Tệp ghi năm học {other}-{other + 1}, nhưng đang nạp vào năm học {told}.",
                f"The file says the school year {other}-{other + 1}, but is loaded into {told}.",
            ),
        )
        return
    differing = [one for one in found.facts if one.year and one.year != year]
    if len(differing) >= max(rule.fewest, rule.stale_share * len(found.facts)):
        yield Suspicion(
            SuspicionKind.WRONG_SCHOOL_YEAR,
            Text(
                f"{len(differing)} bản ghi ghi năm học khác {told}.",
                f"{len(differing)} records say another school year than {told}.",
            ),
            tuple(one.key for one in differing[:MOST_EXAMPLES]),
        )
        return
    known = [one for one in found.facts if one.grade and one.key.rpartition(".")[0] in found.grades_before]
    same = [one for one in known if found.grades_before[one.key.rpartition(".")[0]] == one.grade]
    if len(known) >= rule.fewest and len(same) >= rule.same_grade_share * len(known):
        yield Suspicion(
            SuspicionKind.WRONG_SCHOOL_YEAR,
            Text(
                f"{len(same)} trong {len(known)} học sinh vẫn ở khối của năm học trước. Có thể đây là danh sách "
                "năm học "
                f"{year - 1}-{year}.",
                f"{len(same)} of {len(known)} pupils are in the grade of the year before. It may be the list of "
                f"{year - 1}-{year}.",
            ),
            tuple(one.key for one in same[:MOST_EXAMPLES]),
        )


def _shifted(found: Found, rule: SuspicionRule) -> Iterator[Suspicion]:
    for (sheet, group), rows in groupby(found.facts, key=lambda one: (one.sheet, one.group)):
        facts = list(rows)
        moved = _moved(
            facts,
            said=lambda one: folded(one.name),
            kept=lambda one: folded(found.names.get(one.key.rpartition(".")[0], "") or _of(found, one).name),
            rule=rule,
        )
        if moved:
            what = Text("Họ tên", "Names")
        else:
            moved = _moved(
                facts,
                said=lambda one: "|".join(one.values),
                kept=lambda one: "|".join(_of(found, one).values),
                rule=rule,
            )
            what = Text("Điểm hoặc ngày sinh", "Marks or dates of birth")
        if moved:
            place = f"“{group or sheet}”"
            first = moved[0].row
            yield Suspicion(
                SuspicionKind.SHIFTED_ROWS,
                Text(
                    f"{what.vi} của {len(moved)} dòng trong {place} (từ dòng {first}) trùng với dòng bên cạnh "
                    "đang lưu: có "
                    "thể đã dán lệch một dòng.",
                    f"{what.en} of {len(moved)} rows in {place} (from row {first}) equal those held of the row beside: "
                    "they may be pasted one row off.",
                ),
                tuple(one.key for one in moved[:MOST_EXAMPLES]),
            )


def _moved(
    facts: Sequence[Fact], *, said: Callable[[Fact], str], kept: Callable[[Fact], str], rule: SuspicionRule
) -> list[Fact]:
    """The rows that say what is held of the row before or after them, and not what is held of them; one way only."""
    for step in (1, -1):
        comparable, moved = 0, []
        for at, one in enumerate(facts):
            beside = at + step
            mine = kept(one)
            if not mine or not said(one) or not 0 <= beside < len(facts) or not (other := kept(facts[beside])):
                continue
            if mine == other:
                continue  # Both say the same: nothing can be told from them.
            comparable += 1
            if said(one) == other:
                moved.append(one)
        if len(moved) >= rule.fewest and len(moved) > rule.shifted_share * comparable:
            return moved
    return []


def _disappearing(found: Found, rule: SuspicionRule) -> Iterator[Suspicion]:
    for collection, owned, gone in _gone(found):
        if is_mass(len(gone), len(owned), rule):
            name = _COLLECTIONS[collection]
            yield Suspicion(
                SuspicionKind.MASS_DISAPPEARANCE,
                Text(
                    f"Tệp được khai là đầy đủ, nhưng thiếu {len(gone)} trong {len(owned)} {name.vi} mà nguồn "
                    f"“{found.source}” đang có ở trung tâm: chúng sẽ bị xóa.",
                    f"The file is said to be complete, but lacks {len(gone)} of {len(owned)} {name.en} that the centre "
                    f"holds of the source “{found.source}”: they would be deleted.",
                ),
                tuple(gone[:MOST_EXAMPLES]),
            )


def _unread(found: Found, _rule: SuspicionRule) -> Iterator[Suspicion]:
    """However little disappears: it may stand on what could not be read."""
    sheets = "”, “".join(shortened(one) for one in found.unread[:MOST_EXAMPLES])
    for collection, _, gone in _gone(found) if found.unread else ():
        name, count = _COLLECTIONS[collection], len(gone)
        yield Suspicion(
            SuspicionKind.UNREAD_SHEETS,
            Text(
                f"Tệp được khai là đầy đủ, nhưng không đọc được trang “{sheets}”. {count} {name.vi} không có trên các "
                "trang đã đọc và sẽ bị xóa. Nếu trang ấy có dữ liệu: hãy hủy, bỏ ẩn trang, thêm dòng tiêu đề như mẫu "
                "(hoặc gộp bớt trang nếu quá nhiều) rồi gửi lại.",
                f"The file is said to be complete, but “{sheets}” could not be read. {count} {name.en} are on none of "
                "the sheets that were, and would be deleted. If these hold data: cancel, unhide the sheet, add the "
                "headings of the template (or make fewer sheets of it) and send it again.",
            ),
            tuple(gone[:MOST_EXAMPLES]),
        )


def _gone(found: Found) -> Iterator[tuple[str, Collection[str], list[str]]]:
    """By collection what its source has and what of it is lacking, where something is."""
    for collection, owned in sorted(found.owned.items()):
        if gone := sorted(set(owned) - set(found.there.get(collection, ()))):
            yield collection, owned, gone


def _stale(found: Found, rule: SuspicionRule) -> Iterator[Suspicion]:
    told = [one for one in found.facts if one.version]
    stale = [one for one in told if one.version < _of(found, one).version and _of(found, one).source == found.source]
    if len(stale) >= rule.fewest and len(stale) > rule.stale_share * len(told):
        yield Suspicion(
            SuspicionKind.MASS_STALENESS,
            Text(
                f"{len(stale)} trong {len(told)} bản ghi cũ hơn bản đang lưu: có thể đây là tệp cũ.",
                f"{len(stale)} of {len(told)} records are older than what is held: it may be an old file.",
            ),
            tuple(one.key for one in stale[:MOST_EXAMPLES]),
        )


def _of(found: Found, one: Fact) -> Held:
    return found.held.get((one.collection, one.key), _NOTHING)


def _by_collection(found: Found) -> Iterable[tuple[str, list[Fact]]]:
    by: dict[str, list[Fact]] = {}
    for one in found.facts:
        by.setdefault(one.collection, []).append(one)
    return by.items()


_NOTHING: Final = Held()
_COLLECTIONS: Final[Mapping[str, Text]] = {
    "attendance": Text("sổ điểm danh", "attendance registers"),
    "classes": Text("lớp", "classes"),
    "profiles": Text("hồ sơ trường", "school profiles"),
    "pupils": Text("học sinh", "pupils"),
    "results": Text("kết quả học tập", "results"),
    "staff": Text("nhân sự", "members of staff"),
}
