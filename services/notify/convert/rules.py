"""Reads notify's rules, which are data beside the code: files that may be attached, and how channels behave."""

import json
from importlib.resources import files

from services.notify.domain.attachments import FileRules, FileType


def load_file_rules() -> FileRules:
    """What may be attached."""
    kept = json.loads(files("services.notify").joinpath("rules/attachments.json").read_text("utf-8"))
    types = (
        FileType(one["media_type"], tuple(one["extensions"]), bytes.fromhex(one["magic"]), one["inside"])
        for one in kept["types"]
    )
    return FileRules(tuple(types), kept["most_bytes"], kept["most_bytes_together"], kept["most_files"])
