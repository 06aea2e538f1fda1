"""Archives that files of others come in: checked before anything in them is unpacked."""

import zipfile
import zlib
from pathlib import Path
from typing import Final

from services.sync.convert.sheets import refused

MOST_UNPACKED: Final = 4_000_000_000
MOST_RATIO: Final = 200  # Of what is unpacked to what is packed; sheets of repeated rows reach about 50.
SMALL: Final = 50_000_000  # Below it no ratio harms.
MOST_ENTRIES: Final = 5_000
# What the standard library raises over a broken archive.
ERRORS: Final = (
    zipfile.BadZipFile,
    zlib.error,
    KeyError,
    IndexError,
    ValueError,
    NotImplementedError,
    EOFError,
    OSError,
    RuntimeError,
)


def opened(path: Path) -> zipfile.ZipFile:
    """An archive that unpacks to no more than it should; raises FileRefusedError, and one of ERRORS if broken."""
    archive = zipfile.ZipFile(path)
    entries = archive.infolist()
    if len(entries) > MOST_ENTRIES:
        raise refused.bomb()
    unpacked, packed = sum(one.file_size for one in entries), sum(one.compress_size for one in entries)
    if unpacked > MOST_UNPACKED or (unpacked > SMALL and unpacked > MOST_RATIO * max(packed, 1)):
        raise refused.bomb()
    return archive


def names(path: Path) -> frozenset[str]:
    """The names in an archive, as they are; none where it is broken."""
    try:
        with zipfile.ZipFile(path) as archive:
            return frozenset(archive.namelist())
    except ERRORS:
        return frozenset()
