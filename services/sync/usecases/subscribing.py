"""Makes subscribers and changes how destinations are served."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy.ext.asyncio import AsyncConnection

from chassis.webhooks import new_secret
from services.sync.clients import webhooks
from services.sync.domain.deliveries import UnreachableError
from services.sync.domain.destinations import Destination, Kind, new_destination
from services.sync.store import destinations as store
from services.sync.usecases import refusals
from services.sync.usecases.pushing import Pushing


async def check_endpoint(pushing: Pushing, endpoint: str) -> None:
    """Refuse an address that is none or must not be called. Looks its name up: no transaction is open meanwhile."""
    private = pushing.outlets.private_addresses
    parts = urlsplit(endpoint)
    if not parts.hostname or parts.username or parts.scheme not in ({"http", "https"} if private else {"https"}):
        raise refusals.invalid(
            "destination.endpoint",
            vi="Cần một địa chỉ https:// đầy đủ, không kèm tên và mật khẩu, ví dụ https://ioc.example.vn/nhan.",
            en="A full https:// address is needed, without user and password, e.g. https://ioc.example.vn/in.",
        )
    try:
        await webhooks.check(endpoint, private_addresses=private)
    except UnreachableError as error:
        raise refusals.address_refused(error.vi, error.en) from error


async def subscribe(
    pushing: Pushing, writes: AsyncConnection, *, code: str, display_name: str, endpoint: str, unit_id: int
) -> Destination:
    """Make a subscriber with a secret of its own; it is told of everything there is, then of changes.

    Its endpoint was looked at by `check_endpoint`.
    """
    made = new_destination(
        code,
        kind=Kind.WEBHOOK,
        display_name=display_name or code,
        endpoint=endpoint,
        unit_id=unit_id,
        secret=new_secret(),
        at=pushing.clock.now(),
    )
    if not await store.add(writes, made):
        raise refusals.destination_exists(code)
    return made


async def change(writes: AsyncConnection, code: str, values: Mapping[str, Any]) -> Destination:
    """Change how a destination is served; refuses a form for a subscriber, which is told by webhooks."""
    before = await store.destination(writes, code)
    if before is not None and before.kind is Kind.WEBHOOK and "form" in values:
        raise refusals.invalid(
            "destination.form",
            vi=f"Nơi nhận “{code}” được báo bằng webhook, không có dạng trao đổi để chọn.",
            en=f"The destination “{code}” is told by webhooks and has no form of exchange to choose.",
        )
    await store.change(writes, code, values)
    changed = await store.destination(writes, code)
    if changed is None:
        raise refusals.unknown_destination(code)
    return changed
