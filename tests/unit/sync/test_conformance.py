"""Requirements are judged by what came in: wrong, shown, or not shown; each can be all three."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.sync.convert.conformance import finding, load_requirements
from services.sync.domain.conformance import (
    JUDGES,
    Declared,
    Evidence,
    Material,
    Push,
    PushKind,
    Shown,
    Verdict,
    judge_all,
    read_requirements,
)
from services.sync.domain.full import FullState

VERSION, REQUIREMENTS = load_requirements()
STATES = st.integers(1, 5)
ROWS = st.builds(
    Shown,
    index=st.integers(0, 9),
    record=st.sampled_from(["", "pupil", "staff_member"]),
    key=st.sampled_from(["", "HS1", "HS2"]),
    version=st.integers(0, 3),
    deleted=st.booleans(),
    state=STATES,
    reason=st.sampled_from(["", "VERSION_REUSED", "UNKNOWN_FIELD", "INVALID_DATE"]),
    field=st.sampled_from(["", "pupil.ministry_code"]),
)
PUSHES = st.builds(
    Push,
    batch_id=st.sampled_from(["b1", "b2", "b3"]),
    kind=st.sampled_from(PushKind),
    self_signed=st.booleans(),
    row_count=st.integers(0, 6000),
    rows=st.lists(ROWS, max_size=5).map(tuple),
)


def row(key: str = "HS1", version: int = 1, state: int = 1, **fields: object) -> Shown:
    """A pupil."""
    return replace(Shown(0, "pupil", key, version, deleted=False, state=state), **fields)  # type: ignore[arg-type]  # fields of it


def push(batch_id: str, *rows: Shown, kind: PushKind = PushKind.TAKEN, size: int = 10, signed: bool = True) -> Push:
    """A batch."""
    return Push(batch_id, kind, signed, size, tuple(replace(one, index=place) for place, one in enumerate(rows)))


def found(requirement: str, *pushes: Push, rotated: tuple[str, ...] = ()) -> tuple[Verdict, tuple[Evidence, ...]]:
    """What is found of one requirement."""
    one = next(
        each for each in judge_all(REQUIREMENTS, Material(pushes, rotated)) if each.requirement.id == requirement
    )
    return one.verdict, one.evidence


REJECTED, STALE = 4, 3


def test_of_a_file_only_its_rows_are_judged() -> None:
    """The batches that carry it are made here, and no token signs them."""
    small = [push(f"import-1-{number}", row(), kind=PushKind.FILE, size=1, signed=False) for number in range(20)]
    for requirement in ("signs_itself", "sensible_batches", "one_id_one_batch"):
        assert found(requirement, *small) == (Verdict.NOT_SHOWN, ())
    assert found("known_fields", *small)[0] is Verdict.PASSED
    wrong = push("import-2", row(state=REJECTED, reason="UNKNOWN_FIELD"), kind=PushKind.FILE)
    assert found("known_fields", wrong)[0] is Verdict.FAILED


@pytest.mark.parametrize(
    ("requirement", "passed", "failed"),
    [
        ("signs_itself", [push("b1")], [push("b1", signed=False)]),
        (
            "one_id_one_batch",
            [push(f"b{number}") for number in range(5)],
            [push("b1"), push("b1", kind=PushKind.ID_REUSED)],
        ),
        (
            "versions_rise",
            [push("b1", row()), push("b2", row(version=2))],
            [push("b1", row()), push("b2", row(state=REJECTED, reason="VERSION_REUSED"))],
        ),
        (
            "handles_stale",
            [push("b1", row(version=1, state=STALE)), push("b2", row(version=3))],
            [push("b1", row(version=1, state=STALE)), push("b2", row(version=1, state=STALE))],
        ),
        (
            "stable_keys",
            [push("b1", row()), push("b2", row(version=2))],
            [push("b1", row(state=REJECTED, reason="DUPLICATE_KEY"))],
        ),
        (
            "corrects_rejected",
            [push("b1", row(state=REJECTED, reason="INVALID_DATE")), push("b2", row())],
            [push("b1", row(state=REJECTED, reason="INVALID_DATE")), push("b2", row("HS2"))],
        ),
        (
            "well_formed_codes",
            [push("b1", row())],
            [push("b1", row(state=REJECTED, reason="INVALID_FIELD", field="pupil.ministry_code"))],
        ),
        ("known_fields", [push("b1", row())], [push("b1", row(state=REJECTED, reason="UNKNOWN_FIELD", field="X"))]),
        ("sensible_batches", [push("b1", size=500)], [push(f"b{number}", size=1) for number in range(20)]),
        ("no_ids_in_text", [push("b1", row())], [push("b1", row(text_with_id="conduct_entry.content"))]),
    ],
)
def test_a_requirement_is_passed_failed_or_not_shown(requirement: str, passed: list[Push], failed: list[Push]) -> None:
    """Nothing came: not shown. What shows it passes; what speaks against it fails and is named."""
    assert found(requirement) == (Verdict.NOT_SHOWN, ())
    assert found(requirement, *passed)[0] is Verdict.PASSED
    verdict, evidence = found(requirement, *failed)
    assert verdict is Verdict.FAILED
    assert evidence[0].batch_id in {one.batch_id for one in failed}


def test_what_is_missing_of_the_collections_is_named() -> None:
    """All of a school's collections have to come; those that did not are the evidence."""
    verdict, evidence = found("all_collections", push("b1", row()))
    assert verdict is Verdict.NOT_SHOWN
    assert [one.seen for one in evidence] == ["profiles", "staff", "classes", "attendance", "results"]
    records = ("school_profile", "staff_member", "school_class", "pupil", "attendance_register", "result")
    assert found("all_collections", push("b1", *(row(record=name) for name in records)))[0] is Verdict.PASSED


def test_deletions_repeats_and_rotation_are_shown_by_doing_them() -> None:
    """None of them can be failed, only not shown yet."""
    assert found("sends_deletions", push("b1", row(deleted=True)))[0] is Verdict.PASSED
    assert found("sends_deletions", push("b1", row(deleted=True, state=REJECTED)))[0] is Verdict.NOT_SHOWN
    assert found("repeats_batches", push("b1", row()), push("b1", kind=PushKind.REPEATED))[0] is Verdict.PASSED
    assert found("rotates_keys", push("b1"), rotated=("k1",)) == (Verdict.PASSED, (Evidence(seen="k1"),))


def test_declarations_of_everything_are_judged_by_what_came_of_them() -> None:
    """None is not shown; one that asks a person, cannot be read or comes late fails until a later one is done."""

    def judged(*declared: tuple[FullState, FullState]) -> tuple[Verdict, list[tuple[str, str]]]:
        place = (1, "edusoft", 2026, "pupils")
        known = [Declared(f"d{number}", place, *states) for number, states in enumerate(declared)]
        found = judge_all(REQUIREMENTS, Material((), (), known))
        one = next(each for each in found if each.requirement.id == "declares_everything")
        return one.verdict, [(each.batch_id, each.seen) for each in one.evidence]

    done, held, open_ = FullState.DONE, FullState.HELD, FullState.OPEN
    assert judged() == (Verdict.NOT_SHOWN, [])
    assert judged((open_, open_)) == (Verdict.NOT_SHOWN, [("d0", "OPEN")])
    assert judged((open_, open_), (done, done)) == (Verdict.PASSED, [("d1", "DONE")])
    assert judged((held, held)) == (Verdict.FAILED, [("d0", "HELD")])
    assert judged((FullState.SUPERSEDED, held), (done, done)) == (Verdict.PASSED, [("d1", "DONE")])
    late = (FullState.SUPERSEDED, FullState.SUPERSEDED)
    assert judged((done, done), late) == (Verdict.FAILED, [("d1", "SUPERSEDED")])
    assert judged((FullState.UNSURE, FullState.UNSURE), (done, done))[0] is Verdict.PASSED


def test_a_fault_that_was_corrected_counts_no_more() -> None:
    """What is judged is what the client does by now."""
    wrong = push("b1", row(state=REJECTED, reason="UNKNOWN_FIELD", field="X"))
    assert found("known_fields", wrong)[0] is Verdict.FAILED
    assert found("known_fields", wrong, push("b2", row()))[0] is Verdict.PASSED


@given(st.lists(PUSHES, max_size=8))
def test_whatever_came_every_requirement_is_judged_and_says_why(pushes: list[Push]) -> None:
    """A failure always has evidence, never more than twenty, and of batches that came."""
    for one in judge_all(REQUIREMENTS, Material(pushes, ())):
        assert len(one.evidence) <= 20
        assert one.verdict is not Verdict.FAILED or one.evidence
        assert {each.batch_id for each in one.evidence} <= {push.batch_id for push in pushes} | {""}


def test_every_judge_has_a_requirement_and_an_unknown_one_is_refused() -> None:
    """The list and the judges fit each other."""
    assert {one.judge for one in REQUIREMENTS} == set(JUDGES)
    assert VERSION
    item = {"id": "x", "vi": "x", "en": "x", "judge": "nobody", "source": "x"}
    with pytest.raises(KeyError):
        read_requirements({"version": "1", "requirements": [item]})


def test_what_a_declaration_comes_to_is_no_push_but_tells_deletions() -> None:
    """It is not small, not the last one, not of another issuer; only what is gone by it counts."""
    wrong = row("HS1", state=4)
    gone = push("all", row("HS2", deleted=True), kind=PushKind.CONCLUDED, size=1, signed=False)
    pushes = push("b1", wrong), gone
    assert found("sends_deletions", *pushes)[0] is Verdict.PASSED
    assert found("sends_deletions", *pushes)[1][0].seen == "DISAPPEARED"
    assert found("sends_deletions", push("b1", row(), kind=PushKind.CONCLUDED))[0] is Verdict.NOT_SHOWN
    assert found("corrects_rejected", *pushes)[0] is Verdict.NOT_SHOWN, "it may still be corrected"
    assert found("signs_itself", *pushes)[0] is Verdict.PASSED
    many = [push(f"b{one}", row(), size=100) for one in range(20)]
    assert found("sensible_batches", *many, *([gone] * 30))[0] is Verdict.PASSED


@pytest.mark.parametrize("language", ["vi", "en"])
def test_what_is_failed_or_not_shown_says_what_to_do(language: str) -> None:
    """A vendor's engineer reads codes in the evidence; the remedy names them. What is passed needs none."""
    failing = push("b1", row(reason="VERSION_REUSED", state=REJECTED), signed=False)
    told = [finding(one, language=language) for one in judge_all(REQUIREMENTS, Material((failing,), ("k1",)))]
    remedies = {one.requirement: one.remedy for one in told}
    assert "TOKEN_OF_ANOTHER_ISSUER" in remedies["signs_itself"]
    assert "VERSION_REUSED" in remedies["versions_rise"]
    assert [name for name, remedy in remedies.items() if not remedy] == ["rotates_keys", "sensible_batches"]
