"""Reads notify's rules, which are data beside the code: files that may be attached, and how channels behave."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path

from services.notify.domain.attachments import FileRules, FileType
from services.notify.domain.channels import Channel, ChannelRules
from services.notify.domain.messages import Template, unknown_variables


def load_file_rules() -> FileRules:
    """What may be attached."""
    kept = json.loads(_text("attachments.json"))
    types = (
        FileType(one["media_type"], tuple(one["extensions"]), bytes.fromhex(one["magic"]), one["inside"])
        for one in kept["types"]
    )
    return FileRules(tuple(types), kept["most_bytes"], kept["most_bytes_together"], kept["most_files"])


@dataclass(frozen=True)
class Speech:
    """Texts of what leaves: templates by channel and language, and the words around them."""

    templates: Mapping[tuple[Channel, str], Template]
    severities: Mapping[str, Mapping[str, str]]
    footers: Mapping[str, str]
    reminders: Mapping[str, str]  # Titles of what is told once more.


def load_channel_rules(path: Path | None = None) -> tuple[dict[Channel, ChannelRules], int]:
    """How channels behave, and how many webhooks one person may have."""
    kept = json.loads(path.read_text("utf-8") if path else _text("channels.json"))
    found = {
        Channel(name): ChannelRules(
            **rules
            | {
                "pause_seconds": tuple(rules["pause_seconds"]),
                "fallback": Channel(rules["fallback"]) if rules["fallback"] else None,
            }
        )
        for name, rules in kept["channels"].items()
    }
    return found, int(kept["most_webhooks"])


def load_speech() -> Speech:
    """What messages say. Raises ValueError for a text that names an unknown variable."""
    kept = json.loads(_text("messages.json"))
    templates = {
        (channel, language): Template(**texts)
        for channel in (Channel.EMAIL, Channel.SMS)
        for language, texts in kept[channel].items()
    }
    texts = [text for one in templates.values() for text in (one.subject, one.text)] + [*kept["reminder"].values()]
    unknown = [name for text in texts for name in unknown_variables(text)]
    if unknown:
        raise ValueError(f"rules/messages.json names unknown variables: {', '.join(unknown)}")
    return Speech(templates, kept["severities"], kept["footer"], kept["reminder"])


def _text(name: str) -> str:
    return files("services.notify").joinpath(f"rules/{name}").read_text("utf-8")
