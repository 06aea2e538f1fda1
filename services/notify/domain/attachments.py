"""What a file is, by its content and not by its name. What may be attached is data in `rules/attachments.json`."""

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

MACROS = "vbaProject.bin"  # Office files that bring programs along are not what they look like.


@dataclass(frozen=True, slots=True)
class FileType:
    """A type that is taken: how its content begins, and what a ZIP container of it holds."""

    media_type: str
    extensions: tuple[str, ...]
    magic: bytes
    inside: str


@dataclass(frozen=True, slots=True)
class FileRules:
    """Types and sizes that are taken."""

    types: tuple[FileType, ...]
    most_bytes: int
    most_bytes_together: int
    most_files: int


def type_of(content: bytes, types: Sequence[FileType]) -> FileType | None:
    """The type by the content; None: none that is taken."""
    for known in types:
        if content.startswith(known.magic) and (not known.inside or _holds(content, known.inside)):
            return known
    return None


def plain_name(name: str) -> str:
    """The file's name without the folders and control characters that a client may send along."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable()).strip(". ")


def extension(name: str) -> str:
    """The part behind the last dot, in small letters."""
    return PurePosixPath(name).suffix.removeprefix(".").lower()


def _holds(content: bytes, entry: str) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            names = archive.namelist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError):  # What the library raises of a broken archive.
        return False
    return entry in names and not any(name.endswith(MACROS) for name in names)
