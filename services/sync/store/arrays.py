"""Ids as one array parameter: the statement stays the same however many they are."""

from collections.abc import Collection
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY


def any_of(ids: Collection[int]) -> "sa.ColumnElement[Any]":
    """What a column equals when it is one of the ids."""
    return sa.any_(sa.literal(list(ids), ARRAY(sa.BigInteger)))
