"""Codes by which addresses are confirmed, and what is to be sent of them; the subject's lock is held."""

from dataclasses import asdict, fields
from datetime import datetime

import sqlalchemy as sa
from sqlalchemy.ext.asyncio import AsyncConnection

from services.notify.domain.channels import Channel
from services.notify.domain.codes import Code

_NAMES = tuple(field.name for field in fields(Code))


async def code_of(connection: AsyncConnection, subject: str, channel: Channel) -> Code | None:
    """The code that was sent last."""
    row = (await connection.execute(_CODE, {"subject": subject, "channel": channel.value})).one_or_none()
    return None if row is None else Code(*row)


async def keep_code(connection: AsyncConnection, code: Code) -> None:
    """Keep a code in the place of the one before."""
    await connection.execute(_KEEP, asdict(code))


async def use_up(connection: AsyncConnection, code: Code) -> None:
    """Let a code count no longer, and forget what told it; how many were sent that day is kept."""
    await connection.execute(_USE_UP, {"subject": code.subject, "channel": code.channel})
    await forget_message(connection, code.matter_id)


async def forget_message(connection: AsyncConnection, matter_id: int) -> None:
    """Forget what told a code, if it has not left yet too."""
    await connection.execute(_FORGET_DELIVERY, {"matter": matter_id})
    await connection.execute(_FORGET_MATTER, {"matter": matter_id})


async def queue_code(connection: AsyncConnection, code: Code, now: datetime) -> None:
    """Let the message of a code leave by its channel and to its address alone, before all others."""
    given = {name: getattr(code, name) for name in ("subject", "matter_id", "channel", "address")}
    await connection.execute(_QUEUE, given | {"now": now})


_CODE = sa.text(f"SELECT {', '.join(_NAMES)} FROM address_code WHERE subject = :subject AND channel = :channel")  # noqa: S608 (our own names)
_KEEP = sa.text(
    f"INSERT INTO address_code ({', '.join(_NAMES)}) VALUES ({', '.join(f':{name}' for name in _NAMES)})"  # noqa: S608 (our own names)
    f" ON CONFLICT (subject, channel) DO UPDATE SET {', '.join(f'{name} = excluded.{name}' for name in _NAMES)}"
)
_USE_UP = sa.text("UPDATE address_code SET tries_left = 0 WHERE subject = :subject AND channel = :channel")
_FORGET_DELIVERY = sa.text("DELETE FROM delivery WHERE matter_id = :matter AND dispatch_id IS NULL")
_FORGET_MATTER = sa.text("UPDATE matter SET title_vi = '', title_en = '', recalled = true WHERE alert_id = :matter")
_QUEUE = sa.text(
    "INSERT INTO delivery (subject, matter_id, occasion, channel, address, priority, due_time)"
    " VALUES (:subject, :matter_id, 0, :channel, :address, 0, :now)"
)
