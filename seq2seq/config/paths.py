"""Paths in a study file: they are relative to the file, and recorded whole, so that a run can be read from any folder."""

import os
from pathlib import Path
from typing import Any


def with_absolute_paths(settings: Any, folder: Path) -> Any:
    """Make every relative `data.path`, and every `data.corpus` that is the path of a card, one below `folder`.

    Where there is nothing below `folder`, that of the settings' file, but something below the current folder, that is meant.
    """
    if not isinstance(settings, dict):
        return settings
    found = {key: with_absolute_paths(value, folder) for key, value in settings.items()}
    data = found.get("data")
    if isinstance(data, dict):
        for key, value in data.items():
            is_path = key == "path" or (key == "corpus" and str(value).endswith((".yaml", ".yml")))
            if is_path and isinstance(value, str) and value and not value.startswith("~"):
                there = [place for base in (folder, Path()) if (place := base / value).exists()]
                absolute = os.path.normpath((there or [folder / value])[0].absolute())
                found["data"] = {**found["data"], key: absolute}
    return found
