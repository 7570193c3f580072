"""Runs of others by their name on the Hugging Face hub."""

import re
from pathlib import Path

from seq2seq.config.errors import UserError, first_line

_PREFIX = "hub:"
_READ = ["*.yaml", "*.json", "*.safetensors", "*.model"]
"""What a run is made of; nothing else is downloaded, and none of it can hold code."""


def local_path(path: str | Path) -> Path:
    """Return a path as it is, or that of `hub:OWNER/NAME[/SYSTEM/seed-1]` in the hub's cache; a `UserError` if not there."""
    if not str(path).startswith(_PREFIX):
        return Path(path)
    found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)((?:/[\w+][\w.+-]*)*)", str(path))
    if found is None:
        raise UserError(f"{path}: not a name on the hub; write hub:OWNER/NAME, or hub:OWNER/NAME/SYSTEM/seed-1 of a study")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(found[1], allow_patterns=_READ)) / found[2].strip("/")
    except (OSError, ValueError) as error:  # HTTP errors, no connection, a name that cannot be
        raise UserError(f"{path}: cannot be downloaded ({first_line(error)})") from None
