"""What a message says: templates with variables, texts for one notice or several, and the length rules of an SMS."""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

VARIABLES = ("title", "body", "unit", "severity", "due", "because", "link", "count")
_PLACEHOLDER = re.compile(r"\{([^{}]*)\}")
# Letters of GSM 03.38: one unit each; those of its extension: two.
GSM7 = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞ ÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿"
    "abcdefghijklmnopqrstuvwxyzäöñüà"
)
GSM7_EXTENDED = frozenset("^{}\\[~]|€\f")
_PLAIN = str.maketrans({"đ": "d", "Đ": "D", "–": "-", "—": "-", "“": '"', "”": '"', "‘": "'", "’": "'", "…": "..."})


@dataclass(frozen=True, slots=True)
class Template:
    """The texts of a channel in a language; `together` heads a message that tells several notices."""

    subject: str
    together: str
    text: str


@dataclass(frozen=True, slots=True)
class Segments:
    """How an SMS is cut, and by which alphabet."""

    count: int
    encoding: str


def unknown_variables(text: str) -> list[str]:
    """What a template names that does not exist."""
    return [name for name in _PLACEHOLDER.findall(text) if name not in VARIABLES]


def filled(text: str, values: Mapping[str, str]) -> str:
    """A template with its variables filled in; a line whose only variables are empty is left out."""
    lines = []
    for line in text.split("\n"):
        names = _PLACEHOLDER.findall(line)
        if names and not any(values.get(name) for name in names):
            continue
        lines.append(_PLACEHOLDER.sub(lambda found: values.get(found.group(1), ""), line))
    return "\n".join(lines).strip()


def one_line(text: str, most: int = 150) -> str:
    """A text that can stand in a header: one line, no control characters, of a bounded length."""
    line = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    return line if len(line) <= most else line[: most - 1] + "…"


def plain(text: str) -> str:
    """The text without tones and marks: `Đã nhận` becomes `Da nhan`."""
    decomposed = unicodedata.normalize("NFD", text.translate(_PLAIN))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter))


def segments(text: str) -> Segments:
    """Into how many parts an SMS is cut: 160 and 153 units of GSM-7, or 70 and 67 of UCS-2."""
    if all(letter in GSM7 or letter in GSM7_EXTENDED for letter in text):
        weights = [2 if letter in GSM7_EXTENDED else 1 for letter in text]
        return Segments(_cut(weights, single=160, part=153), "GSM-7")
    weights = [2 if ord(letter) > 0xFFFF else 1 for letter in text]
    return Segments(_cut(weights, single=70, part=67), "UCS-2")


def shortened(text: str, most_segments: int, *, within: Callable[[str], str] = lambda text: text) -> str:
    """The longest beginning of a text that fits `within` a message, with an ellipsis where something was left out.

    Returns the message; where even without the text it is too long, its own beginning.
    """
    if segments(within(text)).count <= most_segments:
        return within(text)
    low, high = 0, len(text)
    while low < high:
        middle = (low + high + 1) // 2
        if segments(within(text[:middle] + "...")).count <= most_segments:
            low = middle
        else:
            high = middle - 1
    message = within(text[:low].rstrip() + "...")
    return message if low or message == "..." else shortened(message, most_segments)


def _cut(weights: Sequence[int], *, single: int, part: int) -> int:
    """How many parts; a letter of two units is never cut in two."""
    if sum(weights) <= single:
        return 1
    parts, room = 1, part
    for weight in weights:
        if weight > room:
            parts, room = parts + 1, part
        room -= weight
    return parts
