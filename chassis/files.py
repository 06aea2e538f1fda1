"""Names of files that are answered: over REST a file goes alone, and its name in a header."""

from typing import Any
from urllib.parse import quote

HEADER = "content-disposition"


async def name_file(context: Any, file_name: str) -> None:
    """Say under which name the file of this answer is kept (RFC 6266); before the answer itself."""
    await context.send_initial_metadata(((HEADER, disposition(file_name)),))


def disposition(file_name: str) -> str:
    """The header, in ASCII whatever the name holds; what would end its quotes is left out."""
    kept = (one if one.isascii() and one.isprintable() and one not in '"\\%' else "_" for one in file_name)
    plain = "".join(kept)
    extended = f"; filename*=UTF-8''{quote(file_name, safe='')}" if plain != file_name else ""
    return f'attachment; filename="{plain}"{extended}'
