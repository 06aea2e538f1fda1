"""Faults of the simulator, set while it runs: slow, failing, losing answers, refusing a row, down. None by default."""

import random
import threading
import time
from dataclasses import asdict, dataclass, fields, replace
from typing import Any


@dataclass(frozen=True)
class Faults:
    """What goes wrong, and how often."""

    slow_seconds: float = 0.0  # Each call waits so long.
    fail_share: float = 0.0  # So many calls of a hundred (0 to 1) are answered by 500 before anything is done.
    lose_answer_share: float = 0.0  # A package is taken, then the connection breaks without an answer.
    answer_seconds: float = 0.0  # Between taking a package and the answer that it was taken.
    processing_seconds: float = 0.0  # Between taking a package and having worked on it.
    refuse_ids: tuple[str, ...] = ()  # IdBanGhi, or the value of a key field, of rows that are refused.
    refuse_reason: str = "LOI_HE_THONG"
    down: bool = False  # Every call is answered by 503.


class FaultBox:
    """Holds the faults of the moment."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._now = Faults()
        self._random = random.Random()  # noqa: S311  chance, no secret

    @property
    def now(self) -> Faults:
        """The faults of the moment."""
        with self._lock:
            return self._now

    def shown(self) -> dict[str, Any]:
        """As they are shown."""
        return asdict(self.now)

    def change(self, given: dict[str, Any]) -> None:
        """Set those that are named; ValueError names one that is not known."""
        known = {field.name for field in fields(Faults)}
        if unknown := sorted(set(given) - known):
            raise ValueError(f"{', '.join(unknown)}: không có lỗi mô phỏng này; có {', '.join(sorted(known))}")
        if "refuse_ids" in given:
            given = {**given, "refuse_ids": tuple(given["refuse_ids"])}
        with self._lock:
            self._now = replace(self._now, **given)

    def hits(self, share: float) -> bool:
        """Whether chance strikes."""
        return share > 0 and self._random.random() < share

    def wait(self) -> None:
        """Be as slow as is asked."""
        if seconds := self.now.slow_seconds:
            time.sleep(seconds)
