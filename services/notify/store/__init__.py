"""Tables of notify and every query on them, by what they are about."""

from services.notify.store.notices import (
    another_matter,
    changed_after,
    count_notices,
    deliver,
    find_notice,
    keep_matters,
    keep_requests,
    list_notices,
    lock_notice,
    lock_notices_about,
    lock_notices_of,
    move_notices,
    update_notice,
)
from services.notify.store.tables import metadata

__all__ = [
    "another_matter",
    "changed_after",
    "count_notices",
    "deliver",
    "find_notice",
    "keep_matters",
    "keep_requests",
    "list_notices",
    "lock_notice",
    "lock_notices_about",
    "lock_notices_of",
    "metadata",
    "move_notices",
    "update_notice",
]
