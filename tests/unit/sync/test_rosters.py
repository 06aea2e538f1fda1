"""OneRoster's zips read: what files say together, what is refused as a whole, what is told of what is not read."""

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from services.sync.convert.imports import sheet_at
from services.sync.convert.sheets import roster_files
from services.sync.convert.sheets.reading import read
from services.sync.convert.sheets.refused import FileRefusedError
from services.sync.convert.sheets.specification import load_sheets
from services.sync.domain.left_out import ROWS as ROWS_LEFT_OUT
from services.sync.domain.left_out import SHEETS as SHEETS_LEFT_OUT
from services.sync.domain.rosters import code_of, first_year, version_of
from tests.integration.sync.rosters import at, enrolled, person, roster, school

SHEETS = load_sheets()
SPEC: dict[str, Any] = json.loads(SHEETS.specification(SHEETS.kinds, school_year=2026, one_school=True))


def told(folder: Path, content: bytes, spec: dict[str, Any] = SPEC) -> tuple[list[Any], list[Any]]:
    """The records of a zip, each with what stands before it, and what its files were taken for."""
    path, out = folder / "roster.zip", io.BytesIO()
    path.write_bytes(content)
    read(path, spec, out)
    lines = out.getvalue().splitlines()
    records = [
        tuple(map(json.loads, line.split(b" ", 3)[3].split(b"\t", 1)))[::-1] for line in lines if line[:1] == b"J"
    ]
    return records, json.loads(lines[-1][2:])


def refusal(folder: Path, content: bytes, spec: dict[str, Any] = SPEC) -> FileRefusedError:
    """Why a zip is refused."""
    with pytest.raises(FileRefusedError) as refused:
        told(folder, content, spec)
    return refused.value


def sheet(sheets: list[Any], name: str, collection: str = "") -> Any:
    """What a file was taken for."""
    return next(one for one in sheets if one["name"] == name and one["collection"] == collection)


def test_a_zip_that_fills_the_disk_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What its files are joined in is bounded, whether they are laid out or sorted when it is reached."""
    monkeypatch.setattr(roster_files, "MOST_ON_DISK", 200_000)
    assert refusal(tmp_path, roster(school(500))).metadata == {"cause": "unpacked_size"}
    assert told(tmp_path, roster(school(1)))


def test_a_record_says_where_each_of_its_parts_stands(tmp_path: Path) -> None:
    """A pupil is made of four files; each is named with its row."""
    records, _ = told(tmp_path, roster(school(1)))
    pupil, about = next((raw, about) for raw, about in records if raw.get("HOC_SINH_ID") == "hs-1")
    assert pupil == {
        "HOC_SINH_ID": "hs-1",
        "NAM_HOC": "2026",
        "TRUONG_ID": "49506001",
        "HO_TEN": "Nguyễn Văn An 1",
        "MA": "",
        "MA_CONG_DAN_ID": "",
        "NGAY_SINH": "2015-03-09",
        "MA_GIOI_TINH": "1",
        "IS_HOC_SONG_SONG": "0",
        "MA_LOP": "6A",
        "MA_KHOI": "06",
    }
    assert about["rows"] == {"users.csv": 2, "demographics.csv": 2, "enrollments.csv": 2}


@pytest.mark.parametrize(
    ("content", "reason", "said"),
    [
        (roster(school(), manifest=[("oneroster.version", "1.1")]), "WRONG_MANIFEST", "1.2"),
        (roster(school(), modes={"users": "all"}), "WRONG_MANIFEST", "file.users"),
        (roster(school(), modes={"results": "bulk"}), "WRONG_MANIFEST", "results.csv"),
        (roster(school(), modes={"users": "absent"}), "WRONG_MANIFEST", "file.users"),
        (roster({"orgs": school()["orgs"]}), "WRONG_MANIFEST", "classes, users"),
        (roster(school()).replace(b"manifest.csv", b"manifest.txt"), "WRONG_MANIFEST", "manifest.csv"),
    ],
    ids=["version", "mode", "missing file", "undeclared file", "no file", "no manifest"],
)  # fmt: skip
def test_a_manifest_that_is_not_true_refuses_the_zip_by_property(
    tmp_path: Path, content: bytes, reason: str, said: str
) -> None:
    """Before any row is looked at, with what to do."""
    refused = refusal(tmp_path, content)
    assert refused.reason == reason
    assert said in refused.text.vi
    assert "gửi lại" in refused.text.vi


def test_rows_that_cannot_be_told_apart_refuse_the_zip(tmp_path: Path) -> None:
    """Of what is declared to be everything nobody could say what is missing."""
    said = school()
    said["users"][1]["sourcedId"] = ""
    refused = refusal(tmp_path, roster(said))
    assert (refused.reason, refused.metadata) == (
        "WRONG_ROSTER",
        {"file": "users.csv", "row": "3", "column": "sourcedId"},
    )
    said["users"][1]["sourcedId"] = "hs-1"
    assert refusal(tmp_path, roster(said)).metadata["row"] == "3"


def test_all_that_refuses_a_zip_is_told_at_once_each_with_its_place_and_remedy(tmp_path: Path) -> None:
    """Who corrects one thing is not told of the next only with the next zip."""
    said = school()
    said["users"][0]["sourcedId"], said["users"][2]["sourcedId"] = "", "hs-2"
    said["roles"][1]["sourcedId"] = said["roles"][0]["sourcedId"]
    modes = {"classes": "all", "results": "bulk", "demographics": "absent"}
    more = {"enrollments.csv": "sourcedId,role,role\r\n"}
    del said["enrollments"]
    zipped = roster(said, manifest=[("oneroster.version", "1.1")], modes=modes | {"enrollments": "bulk"}, more=more)
    refused = refusal(tmp_path, zipped)

    assert [(one.reason, *one.metadata.values()) for one in refused.faults] == [
        ("WRONG_MANIFEST", "manifest.csv", "3", "oneroster.version"),
        ("WRONG_MANIFEST", "manifest.csv", "6", "file.classes"),
        ("WRONG_MANIFEST", "manifest.csv", "11", "file.results"),
        ("WRONG_MANIFEST", "manifest.csv", "10", "file.demographics"),
        ("WRONG_ROSTER", "users.csv", "2", "sourcedId"),
        ("WRONG_ROSTER", "users.csv", "4", "sourcedId"),
        ("WRONG_ROSTER", "roles.csv", "3", "sourcedId"),
        ("DUPLICATE_COLUMN", "enrollments.csv", "B, C"),
        ("MISSING_COLUMN", "enrollments.csv", "classSourcedId, schoolSourcedId, userSourcedId"),
    ]
    assert refused.reason == "WRONG_MANIFEST"
    assert all(one.text.vi in refused.text.vi and "Hãy" in one.text.vi for one in refused.faults)


def test_of_very_many_faults_the_first_are_told(tmp_path: Path) -> None:
    """And that there are more."""
    said = school(200)
    for user in said["users"]:
        user["sourcedId"] = ""
    refused = refusal(tmp_path, roster(said))
    assert len(refused.faults) == 20
    assert refused.text.vi.endswith("Còn lỗi khác nữa.")


def test_a_missing_column_is_named(tmp_path: Path) -> None:
    """By the file and the column's name in the standard."""
    more = {"users.csv": "sourcedId,givenName\r\n1,A\r\n"}
    refused = refusal(tmp_path, roster({"roles": []}, modes={"users": "bulk"}, more=more))
    assert (refused.reason, refused.metadata["sheet"], refused.metadata["missing"]) == (
        "MISSING_COLUMN",
        "users.csv",
        "familyName",
    )


def test_a_zip_that_unpacks_to_far_more_than_it_is_is_not_opened(tmp_path: Path) -> None:
    """As workbooks are not."""
    refused = refusal(tmp_path, roster(school(), more={"results.csv": "0" * 60_000_000}, modes={"results": "bulk"}))
    assert refused.reason == "UNSAFE_FILE"


def test_everything_is_taken_of_one_school_only(tmp_path: Path) -> None:
    """What is lacking is deleted; changes are taken of many."""
    above = SPEC | {"roster": SPEC["roster"] | {"one_school": False}}
    assert refusal(tmp_path, roster(school()), above).reason == "NOT_ONE_SCHOOL"
    changes = roster({"users": [at("10-01T00:00", school()["users"][0])]}, mode="delta")
    assert len(told(tmp_path, changes, above)[0]) == 1


def test_what_is_not_read_is_told_and_metadata_in_our_names_is_read(tmp_path: Path) -> None:
    """Columns, rows and files."""
    said = school(1)
    said["users"][0] |= {"metadata.MA_DAN_TOC": "26", "metadata.bus": "12", "shoeSize": "36"}
    said["users"].append({"sourcedId": "ph-1", "givenName": "Lan", "familyName": "Trần"})
    said["roles"].append(person("ph-1", "guardian", given="Lan")["role"])
    more = dict.fromkeys(("courses.csv", "results.csv", "lineItems.csv"), "sourcedId\r\n") | {"readme.txt": "x"}
    modes = {"courses": "bulk", "results": "bulk", "lineItems": "bulk"}
    records, sheets = told(tmp_path, roster(said, more=more, modes=modes))

    assert [raw.get("MA_DAN_TOC") for raw, _ in records if "HOC_SINH_ID" in raw] == ["26"]
    users = sheet(sheets, "users.csv", "pupils")
    assert {"metadata.bus", "shoeSize", "email"} <= set(users["ignored"])
    assert "metadata.MA_DAN_TOC" not in users["ignored"]
    assert sheet(sheets, "roles.csv")["skipped"] == [4]
    assert sheet(sheets, "roles.csv")["skipped_for"] == {"OTHER_ROLE": [4]}
    assert sheet(sheets, "classes.csv", "classes")["skipped_for"] == {"SUBJECT_CLASS": [3]}
    left_out = {one["name"]: one["left_out"] for one in sheets if "left_out" in one}
    assert left_out == {
        "courses.csv": "NOT_KEPT_HERE",
        "readme.txt": "UNKNOWN_FILE",
        "results.csv": "MARKS_NOT_TAKEN",
        "lineItems.csv": "MARKS_NOT_TAKEN",
    }


def test_each_file_and_row_that_is_left_out_has_its_reason_in_words() -> None:
    """For whatever the table names; a reason without words would fail who asks."""
    assert set(SPEC["roster"]["table"]["unread"]) <= SHEETS_LEFT_OUT.keys()
    assert all(text.vi and text.en for text in (*ROWS_LEFT_OUT.values(), *SHEETS_LEFT_OUT.values()))


def test_a_vendors_own_words_stand_in_the_table_under_its_system(tmp_path: Path) -> None:
    """Other columns, codes and defaults are data; another system's are not touched."""
    own = {
        "roles": {"proctor": "GIAO_VIEN"},
        "values": {"sexes": {"nam": "1"}},
        "objects": {"HOC_SINH": {"fields": {"MA": {"from": ["users.username"]}}, "defaults": {"MA_DAN_TOC": "01"}}},
    }
    table = SPEC["roster"]["table"] | {"systems": {"truong-so": own}}
    spec = SPEC | {"roster": SPEC["roster"] | {"table": table}}
    said = school(1)
    said["demographics"][0]["sex"] = "nam"
    said["roles"].append(person("gt-1", "proctor", given="Hoa")["role"])
    said["users"].append(person("gt-1", "proctor", given="Hoa")["user"] | {"username": "u"})
    records, _ = told(tmp_path, roster(said), spec)
    assert [raw["MA_GIOI_TINH"] for raw, _ in records if raw.get("HOC_SINH_ID") == "hs-1"] == ["1"]
    assert [raw["GIAO_VIEN_ID"] for raw, _ in records if raw.get("GIAO_VIEN_ID") == "gt-1"] == ["gt-1"]
    records, _ = told(tmp_path, roster(said, manifest=[("source.systemCode", "khac")]), spec)
    assert not [raw for raw, _ in records if raw.get("GIAO_VIEN_ID") == "gt-1"]


def test_changes_say_versions_deletions_and_what_only_what_is_held_can_answer(tmp_path: Path) -> None:
    """The latest of a record's rows is its version; a class that the zip does not know stays open."""
    pupil = person("hs-1", "student", given="An")
    said = {
        "users": [at("10-01T00:00", pupil["user"]), at("10-02T00:00", {"sourcedId": "gv-9"}, status="tobedeleted")],
        "roles": [at("10-01T00:00", pupil["role"])],
        "enrollments": [
            at("10-03T00:00", enrolled("hs-1", "6B")),
            at("10-03T00:00", enrolled("hs-2", "6A"), status="tobedeleted"),
        ],
    }
    records, _ = told(tmp_path, roster(said, mode="delta"))
    by_id = {raw["HOC_SINH_ID"]: (raw, about) for raw, about in records if "HOC_SINH_ID" in raw}
    raw, about = by_id["hs-1"]
    assert raw["PHIEN_BAN"] == version_of("2026-10-03T00:00:00.000Z")
    assert about["among"] == {"MA_LOP": ["6B"]}
    assert by_id["hs-2"][1]["leaves"] == {"MA_LOP": ["6A"]}
    raw, about = by_id["gv-9"]
    assert raw["DA_XOA"] == "1"
    assert about["other"][1]["GIAO_VIEN_ID"] == "gv-9"


def test_where_only_one_file_is_everything_what_is_gone_is_said_record_by_record(tmp_path: Path) -> None:
    """Nothing that is to be deleted is left out because another file lacks it."""
    pupil = person("hs-1", "student", given="An")
    left = person("hs-2", "student", given="Bảo")
    said = {
        "users": [at("10-02T00:00", pupil["user"]), at("10-02T00:00", {"sourcedId": "hs-3"}, status="tobedeleted")],
        "roles": [pupil["role"], left["role"] | {"status": "tobedeleted"}],
    }
    records, _ = told(tmp_path, roster(said, modes={"users": "delta", "roles": "bulk"}))
    gone = {raw["HOC_SINH_ID"]: about for raw, about in records if raw.get("DA_XOA") == "1"}
    assert set(gone) == {"hs-2", "hs-3"}
    assert "other" in gone["hs-3"]


@pytest.mark.parametrize(
    ("modes", "whole"),
    [
        ({}, {"classes", "staff", "pupils"}),
        ({"roles": "delta"}, {"classes"}),
        ({"users": "delta"}, {"classes"}),
        ({"classes": "delta"}, {"staff", "pupils"}),
        ({"enrollments": "delta", "demographics": "delta"}, {"classes", "staff", "pupils"}),
    ],
)
def test_people_are_all_told_only_where_users_and_their_roles_are(
    tmp_path: Path, modes: dict[str, str], whole: set[str]
) -> None:
    """Else everybody whom one of the two leaves out would be gone."""
    path, out = tmp_path / "roster.zip", io.BytesIO()
    path.write_bytes(roster(school(1), modes=modes))
    read(path, SPEC, out)
    sheets = [json.loads(line[2:]) for line in out.getvalue().splitlines() if line[:1] == b"S"]
    assert {one["collection"] for one in sheets if one["complete"]} == whole


def test_what_cannot_be_read_is_told_with_what_helps_a_zip(tmp_path: Path) -> None:
    """Excel helps neither a CSV in another encoding nor a zip that was cut."""
    changed = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(roster(school()))) as given, zipfile.ZipFile(changed, "w") as made:
        for name in given.namelist():
            part = given.read(name)
            made.writestr(name, part.decode().encode("utf-16") if name == "users.csv" else part)
    refused = refusal(tmp_path, changed.getvalue())
    assert refused.reason == "UNREADABLE_FILE"
    assert "users.csv" in refused.text.vi
    assert "lưu tệp CSV này dạng UTF-8" in refused.text.vi
    assert "Excel" not in refused.text.vi
    refused = refusal(tmp_path, roster(school())[:-200])
    assert refused.reason == "UNREADABLE_FILE"
    assert "tạo lại tệp zip" in refused.text.vi


def test_files_of_changes_hold_not_everything_whatever_the_upload_says() -> None:
    """Of workbooks who uploads them says it."""
    about = {"name": "users.csv", "kind": "HOC_SINH", "collection": "pupils", "columns": [], "above": []}
    changes = sheet_at(about | {"from": {"HO_TEN": ["users.csv", "G", "familyName"]}, "complete": False})
    assert not changes.holds_all(complete=True)
    assert sheet_at(about).holds_all(complete=True)


@pytest.mark.parametrize(
    ("row", "flaw", "column"),
    [
        ({"status": "inactive", "dateLastModified": "2026-10-01T00:00:00Z"}, "status", "status"),
        ({"status": "active", "dateLastModified": "01/10/2026"}, "instant", "dateLastModified"),
    ],
)
def test_a_change_that_is_not_dated_or_not_clear_is_named_by_file_row_and_column(
    tmp_path: Path, row: dict[str, str], flaw: str, column: str
) -> None:
    """Of the row that says it, whichever file that is of."""
    pupil = person("hs-1", "student", given="An")
    said = {"users": [at("10-01T00:00", pupil["user"])], "roles": [pupil["role"] | row]}
    ((_, about),) = told(tmp_path, roster(said, mode="delta"))[0]
    (((told_flaw, file, number, _, name),),) = about["flaws"].values()
    assert (told_flaw, file, number, name) == (flaw, "roles.csv", 2, column)


def test_long_ids_become_codes_that_the_specification_has_room_for() -> None:
    """The same for every file that names them; short ones stay."""
    long = "3f2c8f0e-55d1-4c7e-9c2e-2d8a1f6b7c11"
    assert code_of("hs-1", 15) == "hs-1"
    assert len(code_of(long, 15)) == 15
    assert code_of(long, 15) == code_of(long, 15) != code_of(long[:-1] + "2", 15)
    assert code_of(long, 20).startswith(code_of(long, 15))


def test_a_school_year_is_named_by_its_last_year() -> None:
    """2027 is 2026-2027."""
    assert (first_year("2027"), first_year("2026-2027"), first_year("")) == (2026, 0, 0)
