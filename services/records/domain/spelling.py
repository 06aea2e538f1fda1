"""One wrong letter: every word that may have been meant by a typed one."""

from string import ascii_lowercase
from typing import Final

_LETTERS: Final = ascii_lowercase  # names are folded before they are compared


def near(word: str) -> set[str]:
    """All words that differ from a folded one by a letter: another, one missing, one too many, two swapped."""
    cuts = [(word[:place], word[place:]) for place in range(len(word) + 1)]
    found = {left + right[1:] for left, right in cuts if right}
    found |= {left + right[1] + right[0] + right[2:] for left, right in cuts if len(right) > 1}
    found |= {left + letter + right[1:] for left, right in cuts if right for letter in _LETTERS}
    found |= {left + letter + right for left, right in cuts for letter in _LETTERS}
    return found - {word, ""}
