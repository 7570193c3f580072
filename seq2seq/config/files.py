"""Files of others, read with an error that says what to do, and our own, written whole or not at all."""

import json
import lzma
import os
import uuid
from contextlib import suppress
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.config.base import checked
from seq2seq.config.errors import UserError

T = TypeVar("T")

ASIDE = ".writing"
"""Ending of a file that is being written."""

PACKED = ".xz"
"""Ending of a file that is compressed, as results under version control are."""


def read_json(path: Path, advice: str = "remove the file and make it again") -> Any:
    """Read a JSON file, also one packed as `.xz`; a `UserError` with `advice` if it is not there, or is damaged."""
    try:
        content = path.read_bytes()
        return json.loads(lzma.decompress(content) if path.suffix == PACKED else content.decode())
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); {advice}") from None
    except (ValueError, RecursionError, lzma.LZMAError) as error:
        raise UserError(f"{path}: not valid JSON ({error}); {advice}") from None


def read_record(path: Path, kind: type[T], advice: str) -> T | None:
    """Read a JSON file that holds a `kind`, None while there is no such file; errors as of `read_json`."""
    return checked(kind, read_json(path, advice), path, advice) if path.exists() else None


def write_aside(path: Path, content: str | bytes, *, first: bool = False) -> None:
    """Write a file, and its folder, so that it is there whole or not at all, whoever else writes it at the same time.

    The last one written counts, or with `first` the first one.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}{ASIDE}")
    try:
        with temporary.open("wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
            file.flush()
            os.fsync(file.fileno())
        if first:
            with suppress(FileExistsError):
                os.link(temporary, path)
        else:
            temporary.replace(path)
    except OSError as error:
        error.filename = str(path)  # a full disk names none, and the other name is of no use to anybody
        raise
    finally:
        temporary.unlink(missing_ok=True)


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that it is there whole or not at all."""
    write_aside(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")
