"""How a use case that outlives one transaction reads in between: by a connection it asks for."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager

from sqlalchemy.ext.asyncio import AsyncConnection

Connect = Callable[[], AbstractAsyncContextManager[AsyncConnection]]
