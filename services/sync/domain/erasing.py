"""How a refused row that was kept mentions a record, whatever names its sender uses."""

import json
import re
from collections.abc import Collection
from typing import Final

_OF_YEAR: Final = re.compile(r"\.[12][0-9]{3}$")  # what profiles add to a pupil's own number
SHORTEST: Final = 2  # signs of a number that is looked for: a single one stands in every row


def mentions_of(keys: Collection[str]) -> list[str]:
    """The texts of which one stands in a row that is about one of these keys: the key, or the number it was made of."""
    numbers = {*keys, *(_OF_YEAR.sub("", key) for key in keys)}
    return sorted(json.dumps(one, ensure_ascii=False) for one in numbers if len(one) >= SHORTEST)
