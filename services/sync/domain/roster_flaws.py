"""What can be wrong with a record of OneRoster's files before its fields are looked at, and where its fields stand."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

from services.sync.domain.problems import Called, Problem
from services.sync.domain.rosters import Flawed
from services.sync.domain.words import Text, same

UNKNOWN_ROLE: Final = "role"


def file_at(file: str, number: int, column: str) -> Text:
    """Where a field stands among several files, or where its row does."""
    at = Text(f", cột {column}", f", column {column}") if column else same("")
    return Text(f"tệp {file}, dòng {number}{at.vi}", f"file {file}, row {number}{at.en}")


def flawed_roster(called: Called, flaws: Sequence[Flawed]) -> Problem:
    """Name values of OneRoster's files for a field that say nothing that can be trusted; the first one's place is told
    by who tells the problem.
    """
    problem = _flawed(called, flaws[0][0])
    for flaw, file, number, _, column in flaws[1:]:
        other = _flawed(called, flaw).at(file_at(file, number, column))
        problem = replace(
            problem, text=Text(*(f"{one} {two}" for one, two in zip(problem.text, other.text, strict=True)))
        )
    return problem


def _flawed(called: Called, flaw: str) -> Problem:
    said = _ROSTER_FLAWS[flaw]
    return Problem(called.reason, called.field, Text(f"{called.label.vi} {said.vi}", f"{called.label.en} {said.en}"))


_ROSTER_FLAWS: Final[Mapping[str, Text]] = {
    "status": Text("phải là active hoặc tobedeleted trong tệp delta.", "has to be active or tobedeleted in delta."),
    "instant": Text(
        "phải là thời điểm sửa cuối dạng 2026-09-05T07:30:00Z trong tệp delta.",
        "has to say when the row was last modified in delta, as 2026-09-05T07:30:00Z.",
    ),
    "class_type": Text("phải là homeroom hoặc scheduled.", "has to be homeroom or scheduled."),
    "class": Text(
        "chỉ một lớp không có trong classes.csv và trung tâm cũng chưa có. Hãy gửi lớp này trong classes.csv.",
        "names a class that classes.csv lacks and the centre does not hold. Send it in classes.csv.",
    ),
    "user": Text(
        "chỉ một người không có trong users.csv. Hãy thêm người này vào users.csv, hoặc bỏ dòng này.",
        "names a user that users.csv lacks. Add the user to users.csv, or leave out the row.",
    ),
    UNKNOWN_ROLE: Text(
        "là người trung tâm chưa có và không tệp nào nói là học sinh hay cán bộ. Hãy thêm dòng của người này vào "
        "roles.csv.",
        "is nobody the centre holds, and no file says whether it is a pupil or staff. Add the user's row to roles.csv.",
    ),
    "org": Text(
        "chỉ một đơn vị không có trong orgs.csv. Hãy thêm đơn vị này vào orgs.csv, identifier là mã trường của Bộ.",
        "names an organisation that orgs.csv lacks. Add it to orgs.csv, its identifier the ministry's code.",
    ),
}
