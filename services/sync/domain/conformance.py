"""What a partner's client must do right, judged over what it has sent into its sandbox.

Requirements are data (`rules/conformance.json`); each names the judge that decides it. A judge looks at pushes in the
order they came and says what it rests on: what speaks against the client, else what shows it, else what is missing.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from types import MappingProxyType
from typing import Any, Final

from services.sync.domain.batches import RowState
from services.sync.domain.collections import COLLECTIONS
from services.sync.domain.full import FullState

MOST_EVIDENCE: Final = 20
STORED: Final = frozenset({RowState.ACCEPTED, RowState.UNCHANGED})


class PushKind(IntEnum):
    """What a push into a sandbox was."""

    TAKEN = 1
    REPEATED = 2  # The same batch again.
    ID_REUSED = 3  # Another batch under a used id, which was refused.
    CONCLUDED = 4  # No push: deletions that follow from a declaration of everything.
    FILE = 5  # Rows of a file that the client sent: only these are its own, not the batches and what signs them.


class Verdict(IntEnum):
    """What was found of a requirement, as the interface numbers it."""

    PASSED = 1
    FAILED = 2
    NOT_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Shown:
    """A row as far as it is judged: nothing of its contents."""

    index: int
    record: str  # Field of the row that holds its record; empty: it could not be read.
    key: str
    version: int
    deleted: bool
    state: int
    reason: str = ""
    field: str = ""
    text_with_id: str = ""  # A field of free text that holds something like a personal id.

    @property
    def identity(self) -> tuple[str, str]:
        """Which record it is."""
        return self.record, self.key


@dataclass(frozen=True, slots=True)
class Push:
    """What came in at once."""

    batch_id: str
    kind: int
    self_signed: bool
    row_count: int
    rows: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Evidence:
    """Where something was seen."""

    batch_id: str = ""
    row_index: int = -1
    key: str = ""
    field: str = ""
    seen: str = ""


@dataclass(frozen=True, slots=True)
class Requirement:
    """A requirement."""

    id: str
    vi: str
    en: str
    how_vi: str  # What to do where it is failed or not shown.
    how_en: str
    judge: str
    source: str
    given: Mapping[str, Any]  # What its judge is told besides.


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration of everything, as far as it is judged."""

    declaration_id: str
    place: tuple[int, str, int, str]  # School, source, school year, collection.
    state: FullState  # As it is by now,
    told: FullState  # and as its sender was told.


@dataclass(frozen=True, slots=True)
class Material:
    """What is judged: pushes in the order they came, and how often the partner has rotated its key."""

    pushes: Sequence[Push]  # And what was concluded from them.
    rotated_kids: Sequence[str]  # Keys that were revoked or have ended while another held.
    declared: Sequence[Declared] = ()  # In the order they came.

    @property
    def sent(self) -> list[Push]:
        """What the client sent as batches."""
        return [one for one in self.pushes if one.kind not in (PushKind.CONCLUDED, PushKind.FILE)]

    @property
    def batches(self) -> list[Push]:
        """Its batches that were answered, each once."""
        return [one for one in self.pushes if one.kind == PushKind.TAKEN]

    @property
    def taken(self) -> Iterator[Push]:
        """What was answered row by row, each once: its batches, and what its files were carried by."""
        return (one for one in self.pushes if one.kind in (PushKind.TAKEN, PushKind.FILE))

    @property
    def rows(self) -> Iterator[tuple[Push, Shown]]:
        """Every row of them, in order."""
        return ((push, row) for push in self.taken for row in push.rows)


@dataclass(frozen=True, slots=True)
class Finding:
    """What was found of one requirement."""

    requirement: Requirement
    verdict: Verdict
    evidence: tuple[Evidence, ...]


Judged = tuple[Verdict, Iterable[Evidence]]
Judge = Callable[[Material, Mapping[str, Any]], Judged]


def judge_all(requirements: Iterable[Requirement], material: Material) -> list[Finding]:
    """What was found of each requirement, in their order."""
    found = []
    for one in requirements:
        verdict, evidence = JUDGES[one.judge](material, one.given)
        found.append(Finding(one, verdict, tuple(evidence)[:MOST_EVIDENCE]))
    return found


def _at(push: Push, row: Shown, seen: str = "") -> Evidence:
    return Evidence(push.batch_id, row.index, row.key, row.field, seen or row.reason)


def _unless(wrong: list[Evidence], shown: list[Evidence]) -> Judged:
    """Failed by what is wrong, else passed by what shows it, else not shown."""
    if wrong:
        return Verdict.FAILED, wrong
    return (Verdict.PASSED, shown[:1]) if shown else (Verdict.NOT_SHOWN, [])


def _signs_itself(material: Material, _given: Mapping[str, Any]) -> Judged:
    others = [Evidence(one.batch_id, seen="TOKEN_OF_ANOTHER_ISSUER") for one in material.sent if not one.self_signed]
    return _unless(others, [Evidence(one.batch_id, seen="SELF_SIGNED") for one in material.sent])


def _rotates_keys(material: Material, _given: Mapping[str, Any]) -> Judged:
    return _unless([], [Evidence(seen=kid) for kid in material.rotated_kids])


def _repeats_batches(material: Material, _given: Mapping[str, Any]) -> Judged:
    return _unless([], [Evidence(one.batch_id, seen="REPEATED") for one in material.pushes if one.kind == 2])


def _one_id_one_batch(material: Material, given: Mapping[str, Any]) -> Judged:
    reused = [
        Evidence(one.batch_id, seen="BATCH_ID_REUSED") for one in material.pushes if one.kind == PushKind.ID_REUSED
    ]
    ids = {one.batch_id for one in material.batches}
    return _unless(reused, [Evidence(seen=str(len(ids)))] if len(ids) >= int(given["least"]) else [])


def _versions_rise(material: Material, given: Mapping[str, Any]) -> Judged:
    wrong = [_at(push, row) for push, row in _refused_for_good(material, given["reasons"])]
    highest: dict[tuple[str, str], int] = {}
    shown = []
    for push, row in material.rows:
        if row.state == RowState.ACCEPTED:
            if row.version > highest.get(row.identity, row.version):
                shown.append(_at(push, row, f"{highest[row.identity]}→{row.version}"))
            highest[row.identity] = max(row.version, highest.get(row.identity, 0))
    return _unless(wrong, shown)


def _handles_stale(material: Material, _given: Mapping[str, Any]) -> Judged:
    stale: dict[tuple[str, str], int] = {}
    wrong, shown = [], []
    for push, row in material.rows:
        late = stale.get(row.identity)
        if row.state == RowState.STALE:
            if late is not None and row.version <= late:
                wrong.append(_at(push, row, "STALE_AGAIN"))
            stale[row.identity] = max(row.version, late or 0)
        elif late is not None and row.state in STORED:
            shown.append(_at(push, row, f"{late}→{row.version}"))
    return _unless(wrong, shown)


def _stable_keys(material: Material, given: Mapping[str, Any]) -> Judged:
    wrong = [_at(push, row) for push, row in _refused_for_good(material, given["reasons"])]
    seen: dict[tuple[str, str], str] = {}
    shown = []
    for push, row in material.rows:
        if row.state in STORED and seen.setdefault(row.identity, push.batch_id) != push.batch_id:
            shown.append(_at(push, row, "SAME_KEY_AGAIN"))
    return _unless(wrong, shown)


def _sends_deletions(material: Material, _given: Mapping[str, Any]) -> Judged:
    seen: dict[int, str] = {PushKind.TAKEN: "DELETED", PushKind.FILE: "DELETED", PushKind.CONCLUDED: "DISAPPEARED"}
    gone = [
        _at(push, row, seen[push.kind])
        for push in material.pushes
        if push.kind in seen
        for row in push.rows
        if row.deleted and row.state == RowState.ACCEPTED
    ]
    return _unless([], gone)


def _declares_everything(material: Material, _given: Mapping[str, Any]) -> Judged:
    """Declarations that nothing was concluded from, unless a later one of the same place was; open ones may go on."""
    wrong: dict[tuple[object, ...], list[Declared]] = {}
    done, unended = list[Declared](), list[Declared]()
    for one in material.declared:
        if one.state is FullState.DONE:
            done.append(one)
            wrong.pop(one.place, None)
        elif one.told in _NOT_CONCLUDED:
            wrong.setdefault(one.place, []).append(one)
        else:
            unended.append(one)
    verdict, evidence = _unless(
        [_of_declared(one) for some in wrong.values() for one in some], [_of_declared(one) for one in done]
    )
    return verdict, evidence if verdict is not Verdict.NOT_SHOWN else [_of_declared(one) for one in unended]


_NOT_CONCLUDED: Final = frozenset({FullState.HELD, FullState.UNSURE, FullState.SUPERSEDED})


def _of_declared(one: Declared) -> Evidence:
    return Evidence(one.declaration_id, field=one.place[3], seen=one.told.name)


def _corrects_rejected(material: Material, _given: Mapping[str, Any]) -> Judged:
    """Rejected rows of earlier batches that were not stored since; those of the last batch may still come."""
    taken = list(material.taken)
    open_: dict[tuple[str, str], tuple[Push, Shown]] = {}
    shown = []
    for push, row in material.rows:
        if row.state == RowState.REJECTED and row.key:
            open_[_loosely(row)] = push, row
        elif row.state in STORED and (before := open_.pop(_loosely(row), None)):
            shown.append(_at(push, row, before[1].reason))
    wrong = [_at(push, row) for push, row in open_.values() if taken and push is not taken[-1]]
    return _unless(wrong, shown)


def _all_collections(material: Material, given: Mapping[str, Any]) -> Judged:
    sent = {COLLECTIONS[row.record]: (push, row) for push, row in material.rows if row.record and row.state in STORED}
    missing = [Evidence(seen=name) for name in given["collections"] if name not in sent]
    if missing:
        return Verdict.NOT_SHOWN, missing
    return Verdict.PASSED, [_at(*sent[name], name) for name in given["collections"]]


def _well_formed_codes(material: Material, given: Mapping[str, Any]) -> Judged:
    names = frozenset(given["fields"])
    wrong = [
        _at(push, row)
        for push, row in _refused_for_good(material, None)
        if names & {row.field.rpartition(".")[2], row.field}
    ]
    people = [_at(push, row, "STORED") for push, row in material.rows if row.record == "pupil" and row.state in STORED]
    return _unless(wrong, people)


def _known_fields(material: Material, given: Mapping[str, Any]) -> Judged:
    wrong = [_at(push, row) for push, row in _refused_for_good(material, given["reasons"])]
    return _unless(wrong, [_at(push, row, "STORED") for push, row in material.rows if row.state in STORED])


def _sensible_batches(material: Material, given: Mapping[str, Any]) -> Judged:
    taken = material.batches
    wrong = [Evidence(one.batch_id, seen=f"ROWS:{one.row_count}") for one in taken if one.row_count > given["most"]]
    small = [one for one in taken if one.row_count < given["small"]]
    if len(taken) >= given["many"] and 2 * len(small) > len(taken):
        wrong += [Evidence(one.batch_id, seen=f"ROWS:{one.row_count}") for one in small]
    good = [one for one in taken if given["small"] <= one.row_count <= given["most"]]
    return _unless(wrong, [Evidence(one.batch_id, seen=f"ROWS:{one.row_count}") for one in good])


def _no_ids_in_text(material: Material, _given: Mapping[str, Any]) -> Judged:
    wrong = [
        Evidence(push.batch_id, row.index, row.key, row.text_with_id, "ID_IN_TEXT")
        for push, row in material.rows
        if row.text_with_id
    ]
    return _unless(wrong, [_at(push, row, "STORED") for push, row in material.rows if row.state in STORED])


def _refused_for_good(material: Material, reasons: Sequence[str] | None) -> Iterator[tuple[Push, Shown]]:
    """Rows that were refused, for one of the reasons (None: any), and whose record was not stored since."""
    open_: dict[tuple[str, str], tuple[Push, Shown]] = {}
    for number, (push, row) in enumerate(material.rows):
        if row.state == RowState.REJECTED:
            place = _loosely(row) if row.key else ("", str(number))
            open_[place] = push, row
        elif row.state in STORED:
            open_.pop(_loosely(row), None)
    return (pair for pair in open_.values() if reasons is None or pair[1].reason in reasons)


def _loosely(row: Shown) -> tuple[str, str]:
    """The record behind a row; what could not be read does not always say which kind it is of."""
    return "", row.key


JUDGES: Final[Mapping[str, Judge]] = MappingProxyType(
    {
        "signs_itself": _signs_itself,
        "rotates_keys": _rotates_keys,
        "repeats_batches": _repeats_batches,
        "one_id_one_batch": _one_id_one_batch,
        "versions_rise": _versions_rise,
        "handles_stale": _handles_stale,
        "stable_keys": _stable_keys,
        "sends_deletions": _sends_deletions,
        "declares_everything": _declares_everything,
        "corrects_rejected": _corrects_rejected,
        "all_collections": _all_collections,
        "well_formed_codes": _well_formed_codes,
        "known_fields": _known_fields,
        "sensible_batches": _sensible_batches,
        "no_ids_in_text": _no_ids_in_text,
    }
)


def read_requirements(table: Mapping[str, Any]) -> tuple[str, tuple[Requirement, ...]]:
    """The version of the list and its requirements; raises KeyError for one that no judge decides."""
    told = ("id", "vi", "en", "how_vi", "how_en", "judge", "source")
    found = []
    for item in table["requirements"]:
        given = {name: value for name, value in item.items() if name not in told}
        one = Requirement(**{name: item[name] for name in told}, given=given)
        if one.judge not in JUDGES:
            raise KeyError(one.judge)
        found.append(one)
    if twice := [name for name, count in Counter(one.id for one in found).items() if count > 1]:
        raise KeyError(twice[0])
    return table["version"], tuple(found)
