"""Imports on the wire, rows of files into records, and records into what is compared."""

import dataclasses
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from google.protobuf.message import Message
from iocedu.records.v1.resources_pb2 import Row
from iocedu.sync.v1 import imports_pb2, sync_pb2

from services.sync.convert.answers import timestamp
from services.sync.convert.documents import RawRow
from services.sync.convert.rows import Same, Unread, kind_of, make, of_school
from services.sync.domain import writing
from services.sync.domain.imports import KINDS, Counts, Import
from services.sync.domain.left_out import ROWS, SHEETS
from services.sync.domain.problems import Problem, flawed_cell, other_year
from services.sync.domain.profiles import Fields
from services.sync.domain.roster_flaws import UNKNOWN_ROLE, flawed_roster
from services.sync.domain.rosters import Apart, read_apart
from services.sync.domain.suspicions import Fact, Held
from services.sync.domain.tables import TableProfile
from services.sync.domain.values import one_above


@dataclass(frozen=True, slots=True)
class Stored:
    """A record that is held."""

    row: Row
    source: str
    restricted: bool = False  # Nothing of it may be shown, not even whether a row says the same.


@dataclass(frozen=True, slots=True)
class SheetAt:
    """A sheet that rows are read from."""

    name: str
    kind: str
    collection: str
    columns: tuple[tuple[str, str, str], ...]  # Letter, field, code of a list's element.
    above: tuple[str, ...]
    # Of several files: by field the file, the letter and the name of the column that says it.
    sources: Mapping[str, tuple[str, str, str]] = dataclasses.field(default_factory=dict)
    defaults: Mapping[str, str] = dataclasses.field(default_factory=dict)  # Of new records, where nothing says it.
    complete: bool = False  # Whether all of the school year's records are in the file.

    def holds_all(self, *, complete: bool) -> bool:
        """Whether it holds everything of its type: files of several say it themselves, of others who uploads them."""
        return self.complete if self.sources else complete

    @property
    def codes(self) -> dict[str, tuple[str, frozenset[tuple[str, str]]]]:
        """Lists that stand as columns, as `writing.overlay` takes them."""
        columns = frozenset((code, field) for _, field, code in self.columns if code)
        return {"DIEM_MONS": ("MA_MON_HOC", columns)} if columns else {}


@dataclass(frozen=True, slots=True)
class FileRow:
    """A row of a file: where it stands, what it says, which cells say nothing that can be trusted."""

    sheet: SheetAt
    number: int
    raw: Fields
    flaws: Mapping[str, str]
    apart: Apart | None = None  # Of a record that is made of several files.

    def place(self, field: str) -> tuple[str, int, str, str]:
        """Where a field stands: sheet or file, row, letter and, of several files, name of the column; empty: none."""
        if self.apart is None:
            return self.sheet.name, self.number, next(iter(self.flaws), "") or self.column(field), ""
        if flaws := self.apart.flaws.get(field):
            return flaws[0][1:]
        file, letter, name = self.sheet.sources.get(field, ("", "", ""))
        if file in self.apart.rows:
            return file, self.apart.rows[file], letter, name
        file, number = next(iter(self.apart.rows.items()))
        return file, number, "", ""

    def column(self, field: str) -> str:
        """The letter of the column behind a field of a problem; empty: there is none."""
        name, _, rest = field.partition("[")
        if not rest:
            return next((letter for letter, one, code in self.sheet.columns if one == name and not code), "")
        place, _, inner = rest.partition("].")
        elements = self.raw.get(name)
        if not place.isdigit() or not isinstance(elements, list) or int(place) >= len(elements):
            return next((letter for letter, one, _ in self.sheet.columns if one == name), "")
        code = elements[int(place)].get("MA_MON_HOC", "")
        of = {one: letter for letter, one, element in self.sheet.columns if element == code}
        return of.get(inner) or next((letter for letter, one, _ in self.sheet.columns if one == name), "")


@dataclass(frozen=True, slots=True)
class Reading:
    """How rows of a file are made: what it leaves unsaid, and what is held."""

    profile: TableProfile
    school: str  # Of rows that do not say theirs.
    school_year: int
    stage: str
    version: int  # Of rows that do not say theirs: it rises with each file.
    extra: Mapping[str, frozenset[str]]  # By type of record the columns that are for comparison only.
    later: int = 0  # Version of the next file of its unit, source and school year: what it brought is newer; 0: none.
    marks: bool = False  # Whether rows that say what is held raise its version: an earlier file may come yet.

    def raw_row(self, row: FileRow, plain: Row | Unread, stored: Stored | None, *, gone: int = 0) -> RawRow:
        """A record of a row that says `plain`; where one is held what the file does not say stays as it is.

        `gone` is the version at which it was deleted, if it was.
        """
        raw, apart = self._completed(row), row.apart
        if row.flaws:
            return RawRow(_content(raw), self._with_flawed_cells(row, raw), row.number)
        if apart is not None and apart.nothing and not apart.flaws:
            same = Same(plain.school, kind_of(plain)) if isinstance(plain, Row) else plain
            return RawRow(_content(raw), same, row.number)
        raw, made = self._over(row, plain, raw, stored, gone=gone)
        veiled = stored is not None and stored.restricted
        if apart is not None and apart.flaws:
            known = not apart.nothing and not any(UNKNOWN_ROLE in one for some in apart.flaws.values() for one in some)
            whole = known and (stored is not None or row.sheet.name in apart.rows)
            made = self._flawed(row, apart, plain, made if whole else None, raw)
        return RawRow(_content(raw), made, row.number, veiled=veiled)

    def _with_flawed_cells(self, row: FileRow, raw: Fields) -> Unread:
        fields = {letter: field for letter, field, _ in row.sheet.columns}
        found = []
        for letter, flaw in row.flaws.items():
            field = fields.get(letter, "")
            called = self.profile.called(_path(self.profile, row.sheet.kind, field), raw)
            found.append(flawed_cell(replace(called, field=field), flaw))
        return Unread(found[0], key=str(raw.get("HOC_SINH_ID", "")), school=self.school, also=tuple(found[1:]))

    def _over(
        self, row: FileRow, plain: Row | Unread, raw: Fields, stored: Stored | None, *, gone: int
    ) -> tuple[Fields, Row | Unread | Same]:
        """What a row says over what is held."""
        made: Row | Unread | Same = plain
        if isinstance(made, Row) and _year(made) not in (0, self.school_year):
            called = self.profile.called(_path(self.profile, row.sheet.kind, "NAM_HOC"), raw)
            made = Unread(other_year(called, year=self.school_year), key=made.key, school=made.school)
        if stored is not None and isinstance(made, Row):
            spec = self.profile.table(row.sheet.kind)
            base = writing.write(spec, stored.row.key, fields_of(_record(stored.row)))
            if base is not None and not made.deleted:
                given = {to: one for to, one in raw.items() if to not in row.sheet.defaults or to in row.raw}
                for to, codes in row.apart.leaves.items() if row.apart else ():
                    given |= {to: ""} if base.get(to) in codes else {}
                raw = writing.overlay(spec, base, given, codes=row.sheet.codes)
            if not (row.raw.get("PHIEN_BAN") or self._is_older(stored.row.version)):
                # A record may have come with a higher one, by another way of the same source.
                raw = raw | {"PHIEN_BAN": max(self.version, one_above(stored.row.version))}
            made = self._made(raw)
            if isinstance(made, Row) and not (stored.restricted or self._says_more(row, made, stored.row)):
                made = Same(made.school, kind_of(made))
        elif gone >= self.version and isinstance(made, Row) and not (made.deleted or row.raw.get("PHIEN_BAN")):
            if not self._is_older(gone):
                raw = raw | {"PHIEN_BAN": one_above(gone)}  # It comes back: the file that was sent last counts.
            made = self._made(raw)
        return raw, made

    def _is_older(self, version: int) -> bool:
        """Whether what is held at a version came by a file that was sent later."""
        return 0 < self.later <= version

    def _says_more(self, row: FileRow, made: Row, held: Row) -> bool:
        """Whether a row says anything beyond what is held: else it need not be carried.

        A version that the file itself says counts, too: what was said before it, and comes late, is old by it.
        """
        newer = (bool(row.raw.get("PHIEN_BAN")) or self.marks) and made.version > held.version
        return newer or made.deleted or bool(made.previous_key) or _record(made) != _record(held)

    def _flawed(
        self, row: FileRow, apart: Apart, plain: Row | Unread, made: Row | Unread | Same | None, raw: Fields
    ) -> Unread:
        """A record of several files with all that cannot be trusted in them, and what else is wrong with its fields.

        `made` is what it would be; None: of what the files lack nothing can be said.
        """
        found = list[Problem]()
        for field, flaws in apart.flaws.items():
            called = replace(self.profile.called(_path(self.profile, row.sheet.kind, field), raw), field=field)
            found.append(flawed_roster(called, flaws))
        meant, rest = frozenset(apart.flaws), made if isinstance(made, Row) else None
        if isinstance(made, Unread):
            found, meant, rest = [*found, made.problem, *made.also], meant | made.meant, made.rest
        return Unread(found[0], plain.key, plain.school or self.school, tuple(found[1:]), meant, rest)

    def plain(self, row: FileRow) -> Row | Unread:
        """The record that a row says, whatever is held."""
        return self._made(self._completed(row))

    def record_of(self, row: FileRow, made: Row | Unread) -> Row | None:
        """The record that a row is of, refused or not; None: what stands where its key is made of says none."""
        found, spec = made.rest if isinstance(made, Unread) else made, self.profile.table(row.sheet.kind)
        flawed = {field for letter, field, _ in row.sheet.columns if letter in row.flaws}
        flawed.update(row.apart.flaws if row.apart else ())
        said = {spec.slots[field].target for field in flawed if field in spec.slots}
        if found is None or not found.key or not said.isdisjoint(spec.key):
            return None
        return found if _year(found) in (0, self.school_year) else None

    def gone(self, kind: str, key: str, stored: Stored) -> RawRow | None:
        """The deletion of a record that a complete file lacks; None: these names cannot say it."""
        base = writing.write(self.profile.table(kind), key, fields_of(_record(stored.row)))
        if base is None:
            return None
        version = max(self.version, one_above(stored.row.version))
        raw = {"DOI_TUONG": kind, **base, "PHIEN_BAN": version, "DA_XOA": "1"}
        return RawRow(_content(raw), self._made(raw), 0)

    def _completed(self, row: FileRow) -> Fields:
        skipped = self.extra.get(row.sheet.kind, frozenset())
        raw: Fields = {"DOI_TUONG": row.sheet.kind, **row.sheet.defaults}
        raw |= {name: value for name, value in row.raw.items() if name not in skipped}
        if not raw.get("NAM_HOC") and self.school_year:
            raw["NAM_HOC"] = str(self.school_year)
        if not raw.get("PHIEN_BAN"):
            raw["PHIEN_BAN"] = self.version
        if row.sheet.kind == KINDS["results"] and self.stage and not (raw.get("GIAI_DOAN") or raw.get("HOC_KY")):
            raw["GIAI_DOAN"] = self.stage
        return raw

    def _made(self, raw: Fields) -> Row | Unread:
        return of_school(make(raw, self.profile), self.school)


def fact_of(row: Row, at: FileRow, *, name: str) -> Fact:
    """What of a row of a file is compared."""
    held = held_of(row, source="")
    record: Any = _record(row)
    return Fact(
        sheet=at.sheet.name,
        row=at.number,
        collection=at.sheet.collection,
        key=row.key,
        group=getattr(record, "class_key", ""),
        name=name or held.name,
        values=held.values,
        grade=getattr(record, "grade", "") if at.sheet.collection == "pupils" else "",
        version=int(at.raw["PHIEN_BAN"]) if str(at.raw.get("PHIEN_BAN", "")).isdigit() else 0,
        year=record.school_year,
    )


def held_of(row: Row, *, source: str) -> Held:
    """What of a record that is held is compared."""
    record: Any = _record(row)
    name = getattr(record, "full_name", "")
    if row.WhichOneof("record") == "result":
        values = tuple(
            f"{one.subject}:{one.mark if one.HasField('mark') else one.level}" for one in record.subject_marks
        )
    else:
        values = tuple(filter(None, (getattr(record, "birth_date", ""),)))
    return Held(name, values, row.version, source)


def fields_of(message: Message) -> Fields:
    """A record as plain values, by our names; empty ones are left out."""
    found: Fields = {}
    for field, value in message.ListFields():
        if field.message_type is not None and field.message_type.GetOptions().map_entry:
            found[field.name] = dict(value)
        elif field.is_repeated:
            found[field.name] = [fields_of(one) if isinstance(one, Message) else one for one in value]
        else:
            found[field.name] = fields_of(value) if isinstance(value, Message) else value
    return found


def keys_of(made: Row | Unread) -> tuple[str, ...]:
    """The keys that a row names."""
    return (made.key, made.previous_key) if isinstance(made, Row) and made.previous_key else (made.key,)


def sheet_at(about: Mapping[str, Any]) -> SheetAt:
    """A sheet as the process that reads tells of it."""
    columns = tuple((letter, field, code) for letter, field, code in about["columns"])
    return SheetAt(
        about["name"],
        about["kind"],
        about["collection"],
        columns,
        tuple(about.get("above", ())),
        sources={to: (file, letter, name) for to, (file, letter, name) in about.get("from", {}).items()},
        defaults=about.get("defaults", {}),
        complete=about.get("complete", False),
    )


def file_row(sheets: Sequence[SheetAt | None], kind: bytes, rest: bytes) -> FileRow:
    """A row as the process that reads tells of it."""
    sheet, number, told = rest.split(b" ", 2)
    about: Any = {}
    if kind in (b"F", b"J"):
        said, _, told = told.partition(b"\t")
        about = json.loads(said)
    found = sheets[int(sheet)]
    assert found is not None, "rows come after their sheet"
    if kind == b"J":
        return FileRow(found, int(number), json.loads(told), {}, read_apart(about))
    return FileRow(found, int(number), json.loads(told), about)


def counts_of(outcome: sync_pb2.Outcome) -> Counts:
    """The counts of a batch."""
    return Counts(
        outcome.accepted_count,
        outcome.unchanged_count,
        outcome.stale_count,
        outcome.rejected_count,
        outcome.held_count,
    )


def import_message(one: Import, *, language: str) -> imports_pb2.Import:
    """An import, for who reads a language."""
    order, counts = one.order, one.counts
    return imports_pb2.Import(
        import_id=one.import_id,
        unit_id=order.unit_id,
        source=order.source,
        file_name=order.file_name,
        size_bytes=one.size,
        school_year=order.school_year,
        collection=order.collection,
        complete=order.complete,
        backfill=order.backfill,
        state=one.state.value,  # type: ignore[arg-type]  # the numbers are the enum's
        row_count=one.row_count,
        done_count=min(counts.done, one.row_count),  # Deletions that were refused come after all rows.
        accepted_count=counts.accepted,
        unchanged_count=counts.unchanged,
        stale_count=counts.stale,
        rejected_count=counts.rejected,
        held_count=counts.held,
        sheets=[_sheet(sheet, language) for sheet in one.sheets],
        suspicions=_suspicions(one.suspicions, language),
        error_reason=one.error.get("reason", ""),
        error_message=one.error.get(language, ""),
        subject=order.subject,
        decided_by=one.decision.subject if one.decision else "",
        decision_reason=one.decision.reason if one.decision else "",
        decide_time=timestamp(one.decision.time) if one.decision else None,
        create_time=timestamp(one.create_time),
        update_time=timestamp(one.update_time),
        end_time=timestamp(one.end_time),
        cancel_requested=one.cancel_requested,
        validate_only=one.order.validate_only,
        faults=[_fault(each, language) for each in one.error.get("faults", ())],
        deletions=[imports_pb2.ImportDeletions(**each) for each in one.deletions],
    )


def _fault(told: Mapping[str, Any], language: str) -> imports_pb2.ImportFault:
    return imports_pb2.ImportFault(reason=told["reason"], message=told[language], metadata=told["metadata"])


def _sheet(about: Mapping[str, Any], language: str) -> imports_pb2.ImportSheet:
    left_out = about.get("left_out", "")
    return imports_pb2.ImportSheet(
        name=about["name"],
        collection=about["collection"],
        first_header_row=about.get("first", 0),
        last_header_row=about.get("last", 0),
        row_count=about.get("rows", 0),
        ignored_headings=about.get("ignored", ()),
        skipped_rows=about.get("skipped", ()),
        left_out_reason=left_out,
        left_out_message=SHEETS[left_out].told(language) if left_out else "",
        unsure_count=about.get("unsure", 0),
        unknown_classes=about.get("unknown_classes", ()),
        skipped=[
            imports_pb2.SkippedRows(reason=reason, message=ROWS[reason].told(language), rows=rows)
            for reason, rows in about.get("skipped_for", {}).items()
        ],
    )


def _suspicions(kept: Iterable[Mapping[str, Any]], language: str) -> Iterable[imports_pb2.Suspicion]:
    return [imports_pb2.Suspicion(kind=one["kind"], message=one[language], examples=one["examples"]) for one in kept]


def _record(row: Row) -> Message:
    name = row.WhichOneof("record")
    assert name is not None, "a row of a file holds a record"
    record: Message = getattr(row, name)
    return record


def _year(row: Row) -> int:
    record: Any = _record(row)
    return int(record.school_year)


def _path(profile: TableProfile, kind: str, field: str) -> str:
    spec = profile.table(kind)
    slot = spec.slots.get(field)
    return f"{spec.record}.{slot.target}" if slot and slot.target else f'{spec.record}.further["{field}"]'


def _content(raw: Fields) -> bytes:
    return json.dumps(raw, ensure_ascii=False, separators=(",", ":")).encode(errors="replace")
