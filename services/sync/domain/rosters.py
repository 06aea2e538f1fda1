"""OneRoster's files by a table: which columns say which fields of the ministry's names, with which codes and defaults.

A record of ours is made of rows of several files: a pupil of a user, a role, an enrolment and demographics. The table
is `rules/oneroster.json`; a vendor's own words stand in it under the system's code and say only what differs.
"""

import re
from base64 import b32encode
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from hashlib import blake2b
from typing import Any, Final

MANIFEST: Final = "manifest.csv"
METADATA: Final = "metadata."
CLASS, PUPIL, STAFF = "LOP", "HOC_SINH", "GIAO_VIEN"
PEOPLE: Final = (STAFF, PUPIL)
_INSTANT: Final = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?", re.ASCII)
_YEAR: Final = re.compile(r"\d{4}", re.ASCII)


@dataclass(frozen=True, slots=True)
class Source:
    """Where a field comes from: columns of one file, joined by a blank, and what its values are with us."""

    file: str
    columns: tuple[str, ...]
    values: Mapping[str, str]

    def said(self, given: Iterable[str]) -> str:
        """The value that columns say; a code that is not listed passes as it is, of several the first counts."""
        whole = " ".join(part for part in (one.strip() for one in given) if part)
        if not self.values:
            return whole
        first = whole.split(",")[0].strip()
        return self.values.get(first, first)


@dataclass(frozen=True, slots=True)
class RosterObject:
    """A type of record."""

    name: str
    collection: str
    id_field: str
    longest: int  # Letters that the ministry's specification leaves for the id.
    fields: Mapping[str, Source]
    defaults: Mapping[str, str]  # Of a new record, where no file says it.
    extensions: frozenset[str]  # Names that a column `metadata.<name>` may say.


@dataclass(frozen=True, slots=True)
class RosterTable:
    """How files are read."""

    versions: tuple[str, ...]
    files: Mapping[str, tuple[str, ...]]  # By file the columns it cannot do without,
    reads: Mapping[str, tuple[str, ...]]  # and all that are read.
    unread: Mapping[str, str]  # Why no record is made of other files of the standard.
    roles: Mapping[str, str]  # Types of record by role; another role makes none.
    objects: Mapping[str, RosterObject]


def read_table(table: Mapping[str, Any], *, system: str, extensions: Mapping[str, Iterable[str]]) -> RosterTable:
    """The table for files of a system; `extensions` are by object the names that may follow `metadata.`."""
    own = table["systems"].get(system, {})
    values = {name: one | own.get("values", {}).get(name, {}) for name, one in table["values"].items()}
    objects = {
        name: _object(name, one, own.get("objects", {}).get(name, {}), values, frozenset(extensions[name]))
        for name, one in table["objects"].items()
    }
    return RosterTable(
        versions=tuple(table["versions"]),
        files={name: tuple(one["needs"]) for name, one in table["files"].items()},
        reads={
            name: tuple(dict.fromkeys((*_OF_ALL, *one["needs"], *one["reads"], *_columns(objects, name))))
            for name, one in table["files"].items()
        },
        unread={name: reason for reason, names in table["unread"].items() for name in names},
        roles=table["roles"] | own.get("roles", {}),
        objects=objects,
    )


_OF_ALL: Final = ("status", "dateLastModified")


def _columns(objects: Mapping[str, RosterObject], file: str) -> Iterable[str]:
    sources = [source for one in objects.values() for source in one.fields.values()]
    return [column for source in sources if source.file == file for column in source.columns]


def _object(
    name: str,
    entry: Mapping[str, Any],
    own: Mapping[str, Any],
    values: Mapping[str, Mapping[str, str]],
    extensions: frozenset[str],
) -> RosterObject:
    fields = entry["fields"] | own.get("fields", {})
    return RosterObject(
        name=name,
        collection=entry["collection"],
        id_field=entry["id"],
        longest=entry["longest"],
        fields={to: _source(one["from"], values.get(one.get("values", ""), {})) for to, one in fields.items()},
        defaults=entry["defaults"] | own.get("defaults", {}),
        extensions=extensions,
    )


def _source(columns: Iterable[str], values: Mapping[str, str]) -> Source:
    parts = [one.partition(".") for one in columns]
    return Source(parts[0][0], tuple(column for _, _, column in parts), values)


def whole_columns(made: RosterObject) -> dict[str, tuple[str, Source]]:
    """The columns of which each says one field by itself, with that field."""
    said = [(column, to, source) for to, source in made.fields.items() for column in source.columns]
    times = Counter(column for column, _, _ in said)
    return {column: (to, source) for column, to, source in said if times[column] == len(source.columns) == 1}


def code_of(sourced_id: str, longest: int) -> str:
    """The code a record is known by: the id itself where it fits, of a longer one (a UUID) letters made of it."""
    if len(sourced_id) <= longest:
        return sourced_id
    digest = blake2b(sourced_id.encode(errors="replace"), digest_size=16).digest()
    return b32encode(digest).decode().lower()[:longest]


def version_of(instant: str) -> int:
    """The version that `dateLastModified` makes, milliseconds since 1970; 0: it is no instant."""
    if not _INSTANT.fullmatch(instant):
        return 0
    try:
        said = datetime.fromisoformat(instant)
    except ValueError:
        return 0
    said = said if said.tzinfo else said.replace(tzinfo=UTC)
    return max(int(said.timestamp() * 1000), 0)


def first_year(said: str) -> int:
    """The first calendar year of a school year, which OneRoster names by its last; 0: that is none."""
    return int(said) - 1 if _YEAR.fullmatch(said) else 0


@dataclass(slots=True)
class Joined:
    """A record as it is put together, and what only what is held can answer."""

    raw: dict[str, Any] = field(default_factory=dict)
    rows: dict[str, int] = field(default_factory=dict)  # By file the row it says something in.
    # By field what cannot be trusted, each time: flaw, file, row, column.
    flaws: dict[str, list[list[Any]]] = field(default_factory=dict)
    among: dict[str, list[str]] = field(default_factory=dict)  # By field codes of which that counts that is held.
    leaves: dict[str, list[str]] = field(default_factory=dict)  # By field codes that it says no more.
    only_held: bool = False  # Whether it says something only of a record that is held.
    version: int = 0  # The latest of its rows,
    dated: bool = True  # and whether all of these are of files of changes: else it is none of the record.


Flawed = tuple[str, str, int, str, str]  # What is wrong; file, row, letter and name of the column.


@dataclass(frozen=True, slots=True)
class Apart:
    """What a record of several files says, as the process that reads tells of it, and what it leaves open."""

    rows: Mapping[str, int]
    flaws: Mapping[str, tuple[Flawed, ...]]
    among: Mapping[str, tuple[str, ...]]
    leaves: Mapping[str, frozenset[str]]
    only_held: bool
    other: tuple[int, Mapping[str, Any]] | None  # Sheet and object, where it may be another type of record.
    nothing: bool = False  # Whether it turned out to say nothing of what is held.


def read_apart(about: Mapping[str, Any]) -> Apart:
    """What stands before a record of several files."""
    place, raw = about.get("other") or (0, None)
    return Apart(
        rows=about["rows"],
        flaws={to: tuple(tuple(one) for one in some) for to, some in about.get("flaws", {}).items()},
        among={to: tuple(codes) for to, codes in about.get("among", {}).items()},
        leaves={to: frozenset(codes) for to, codes in about.get("leaves", {}).items()},
        only_held=about.get("only_held", False),
        other=(place, raw) if raw is not None else None,
    )
