"""Passwords of the engines, made once and kept in files only their owner reads. Refuses to print them."""

import os
import secrets
from pathlib import Path


def secret(path: Path) -> str:
    """The secret in `path`, made when there is none yet."""
    try:
        return path.read_text("ascii").strip()
    except FileNotFoundError:
        pass
    path.parent.mkdir(parents=True, exist_ok=True)
    value = secrets.token_urlsafe(24)
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(value + "\n")
    return value
