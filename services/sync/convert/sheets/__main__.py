"""The process that opens files: `read FILE`, `report FILE TARGET`, `template TARGET`, each told more on its input.

Bounds its own memory and time, so that no file can take the machine.
"""

import json
import resource
import sys
from pathlib import Path
from typing import Any, Final

MOST_MEMORY: Final = 1024**3
MOST_SECONDS: Final = 3_600


def main(arguments: list[str]) -> int:
    """Do what is asked; a refusal is written as the last line, `X {reason, vi, en, metadata, faults}`."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY, MOST_MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (MOST_SECONDS, MOST_SECONDS))
    told: dict[str, Any] = json.loads(sys.stdin.buffer.read())
    from services.sync.convert.sheets.refused import FileRefusedError, bomb  # noqa: PLC0415 (after the bounds)

    try:
        _do(arguments, told)
    except FileRefusedError as refused:
        _refuse(refused)
    except MemoryError:
        _refuse(bomb())
    sys.stdout.flush()
    return 0


def _do(arguments: list[str], told: dict[str, Any]) -> None:
    # Each is imported where it is wanted: a process that reads needs no writer.
    match arguments:
        case ["read", path]:
            from services.sync.convert.sheets.reading import read  # noqa: PLC0415

            read(Path(path), told, sys.stdout.buffer)
        case ["report", path, target]:
            from services.sync.convert.sheets import report  # noqa: PLC0415

            report.write(Path(path), Path(target), told)
        case ["template", target]:
            from services.sync.convert.sheets import template  # noqa: PLC0415

            template.write(Path(target), told)
        case _:
            raise SystemExit(__doc__)


def _refuse(refused: Any) -> None:
    sys.stdout.buffer.write(b"X %s\n" % json.dumps(refused.said(), ensure_ascii=False).encode())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
