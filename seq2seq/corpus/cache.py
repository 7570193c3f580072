"""The cache: folders named by a hash of everything that decides their content, written aside and renamed when complete.

Two processes that build the same entry at once both work, and the first to rename wins; nobody sees half an entry. Content
hashes of large files are remembered by path, inode, size, time of the content and time of the last change of any kind (ctime,
which nobody can set), so that an unchanged corpus is not read again and a replaced one is, whatever its size and date.
"""

import hashlib
import json
import os
import shutil
import time
import uuid
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from seq2seq.config.errors import UserError
from seq2seq.config.files import write_json

_COMPLETE = "complete.json"
_STALE_SECONDS = 24 * 3600
"""A half-written entry of a killed process is removed after a day."""
_RACY_NS = 2_000_000_000
"""A file touched so recently may change again without a new time stamp; its hash is not remembered."""


def describe_cache(*, empty: bool) -> str:
    """Write what lies in the cache of this machine, or empty it and say what was there."""
    cache = Cache()
    sizes = cache.sizes()
    lines = [f"{kind:10}  {count:6,} entries  {size / 1e6:10,.1f} MB" for kind, (count, size) in sorted(sizes.items())]
    if empty:
        cache.empty()
    total = sum(size for _, size in sizes.values()) / 1e6
    return "\n".join([f"{cache.root}{' was emptied of' if empty else ''}", *lines, f"{'total':10}  {total:25,.1f} MB"])


def digest(*parts: Any) -> str:
    """Return a hexadecimal key for JSON-like values."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, ensure_ascii=True, default=str).encode()).hexdigest()[:40]


class Cache:
    """A folder of finished entries, made when first written to: `root`, else $SEQ2SEQ_CACHE, else ~/.cache/seq2seq."""

    def __init__(self, root: Path | None = None) -> None:
        self.root = root or Path(os.environ.get("SEQ2SEQ_CACHE") or "~/.cache/seq2seq").expanduser()

    def entry(self, kind: str, key: str, build: Callable[[Path], None]) -> Path:
        """Return the folder `<kind>/<key>`, filled by `build` if it is not whole; a `UserError` if it cannot be written."""
        place = self.root / kind / key
        if _is_complete(place):
            return place
        aside = place.with_name(f".{key}.{uuid.uuid4().hex}.partial")
        try:
            aside.mkdir(parents=True)
            for partial in place.parent.glob(".*.partial*"):
                if time.time() - partial.stat().st_mtime > _STALE_SECONDS:
                    shutil.rmtree(partial, ignore_errors=True)
            build(aside)
            sizes = {file.name: file.stat().st_size for file in aside.iterdir()}
            (aside / _COMPLETE).write_text(json.dumps(sizes), encoding="utf-8")
            _publish(aside, place)
        except OSError as error:
            raise UserError(
                f"{self.root}: cannot write the cache ({error.strerror or error}); free space there, or set SEQ2SEQ_CACHE to "
                "a folder that can be written"
            ) from error
        finally:
            shutil.rmtree(aside, ignore_errors=True)
        return place

    def sizes(self) -> dict[str, tuple[int, int]]:
        """Return (entries, bytes) of every kind."""
        found: dict[str, tuple[int, int]] = {}
        for entry in self._entries():
            count, size = found.get(entry.parent.name, (0, 0))
            files = [entry] if entry.is_file() else [file for file in entry.rglob("*") if file.is_file()]
            found[entry.parent.name] = count + 1, size + sum(file.stat().st_size for file in files)
        return found

    def empty(self) -> None:
        """Remove every entry and nothing else that may lie in the folder; a `UserError` names what cannot be removed."""
        for entry in self._entries():
            try:
                entry.unlink() if entry.is_file() else shutil.rmtree(entry)
            except OSError as error:
                raise UserError(f"{entry}: cannot be removed ({error.strerror}); remove it by hand") from error

    def _entries(self) -> list[Path]:
        """Entries, whole or not, and notes on files."""
        folders = [path.parent for path in self.root.glob(f"*/*/{_COMPLETE}")]
        partial = [path for path in self.root.glob("*/.*.partial*") if path.is_dir()]
        return sorted({*folders, *partial, *(self.root / "files").glob("*.json")})

    def file_hash(self, path: Path) -> str:
        """Return the SHA-256 of a file's bytes, from memory if path, inode, size, mtime and ctime are unchanged."""
        status = path.stat()
        stamp = [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]
        note = self.root / "files" / f"{digest(str(path.resolve()))}.json"
        try:
            known = json.loads(note.read_text(encoding="utf-8"))
            if known["stamp"] == stamp:
                return str(known["sha256"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # no note, or an unreadable one: hash the file
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        if time.time_ns() - max(status.st_mtime_ns, status.st_ctime_ns) > _RACY_NS:
            with suppress(OSError):  # a note only saves time
                write_json(note, {"stamp": stamp, "sha256": sha256})
        return sha256


def _is_complete(place: Path) -> bool:
    try:
        sizes = json.loads((place / _COMPLETE).read_text(encoding="utf-8"))
        return all((place / name).stat().st_size == size for name, size in sizes.items())
    except (OSError, ValueError, AttributeError):
        return False


def _publish(aside: Path, place: Path) -> None:
    """Rename `aside` to `place`; if another process has published a whole one meanwhile, that one stays."""
    try:
        aside.rename(place)
    except OSError:
        if _is_complete(place):
            return
        damaged = aside.with_name(f"{aside.name}.damaged")
        place.rename(damaged)
        aside.rename(place)
        shutil.rmtree(damaged, ignore_errors=True)
