"""A run's folder: what lies where, who may write to it, and whether it belongs to the config at hand."""

import fcntl
import json
import os
import re
import uuid
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML

from seq2seq.config.errors import UserError
from seq2seq.config.loading import plain, read_yaml

_ASIDE = ".writing"
"""Ending of a file that is being written; with `.lock` all that a process killed at once can have left in a run's folder."""
_SEED = re.compile(r"seed-(\d+)")
POLICIES = ("training.non_finite", "training.halve_on_oom", "training.shard")
"""Settings that say how to go on after an accident or how to use the machine; they may change in the middle of a run."""


RETIRED = {"data.concatenate": 1}
"""Settings that are gone, with the value at which they did nothing."""


class RunFolder:
    """`<study>/<system>/seed-<n>/` and the files in it.

    Args:
        path: the folder; need not exist.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.config = path / "config.yaml"
        self.log = path / "log.jsonl"
        self.timing = path / "timing.jsonl"
        self.environment = path / "environment.json"
        self.summary = path / "summary.json"
        self.tokenizers = path / "tokenizer"
        self.best = path / "checkpoints" / "best"
        self.averaged = path / "checkpoints" / "averaged"
        """Mean of the last validations' weights, where it validates better than `best`."""
        self.last = path / "checkpoints" / "last"
        self.recent = path / "checkpoints" / "recent"
        """Weights of the last validations, where they are to be averaged."""
        self.tensorboard = path / "tensorboard"

    @property
    def system(self) -> str:
        """Name of the system, from the folder above; of a folder that is not called seed-<n> its own name."""
        place = self.path.absolute()
        return place.parent.name if _SEED.fullmatch(place.name) else place.name

    @property
    def seed(self) -> int:
        """The seed, from the folder's name; 0 where it has another one."""
        found = _SEED.fullmatch(self.path.absolute().name)
        return int(found[1]) if found else 0

    def recent_checkpoints(self) -> list[Path]:
        """Return the complete checkpoints in `recent`, oldest first."""
        return sorted(place for place in self.recent.glob("step-*") if not place.suffix)

    def hypotheses(self, split: str) -> Path:
        """Return the file of translations of a split."""
        return self.path / "hypotheses" / f"{split}.txt"

    def read_summary(self) -> dict[str, Any]:
        """Return `summary.json`, or an empty one while there is none."""
        try:
            summary: dict[str, Any] = json.loads(self.summary.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except ValueError:
            raise UserError(f"{self.summary}: not JSON; remove the file and run the same command again") from None
        return summary

    def is_finished(self) -> bool:
        """Whether training came to its end here."""
        return self.read_summary().get("status") == "finished"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder for this process; the lock goes with the process, however it ends.

        Raises:
            UserError: another process holds it.
        """
        try:
            self.path.mkdir(parents=True, exist_ok=True)
            file = (self.path / ".lock").open("w", encoding="utf-8")
        except OSError as error:
            raise UserError(f"{self.path}: cannot be written to ({error.strerror}); give --out DIR for another place") from None
        with file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise UserError(f"{self.path}: another process is training this run; wait for it or give --out DIR") from None
            yield

    def claim(self, config: Mapping[str, Any]) -> None:
        """Write the resolved config, or check that the one that is there is the same but for `POLICIES`.

        Raises:
            UserError: the folder belongs to another config; the differences are named.
        """
        if self.config.exists():
            differences = config_differences(plain(read_yaml(self.config)), dict(config))
            if differences and all(difference.startswith(POLICIES) for difference in differences):
                write_aside(self.config, dump_yaml(dict(config)))
            elif differences:
                raise UserError(
                    f"{self.path}: this run was made with other settings ({'; '.join(differences[:5])}); "
                    "give --out DIR for a new place, or remove the folder"
                )
            return
        if self.path.exists() and not all(p.name == ".lock" or p.suffix == _ASIDE for p in self.path.iterdir()):
            raise UserError(
                f"{self.path}: not empty and has no config.yaml, so not a run of ours; give --out DIR for another place"
            )
        write_aside(self.config, dump_yaml(dict(config)))

    def check_fingerprints(self, fingerprints: Mapping[str, str]) -> None:
        """Check that the data and the tokenizers are those that an earlier part of the run was trained on.

        Raises:
            UserError: they are others; each is named.
        """
        try:
            there = json.loads(self.environment.read_text(encoding="utf-8"))["fingerprints"]
        except FileNotFoundError:
            return
        except (ValueError, KeyError, TypeError, OSError) as error:
            raise UserError(f"{self.environment}: damaged ({error}); give --out DIR for a new place") from None
        changed = config_differences(there, dict(fingerprints))
        if changed:
            short = "; ".join(" ".join(word[:12] if len(word) >= 64 else word for word in text.split()) for text in changed)
            raise UserError(
                f"{self.path}: this run was made with other data (SHA-256 of {short}); put the corpus back, or give --out DIR "
                "for a new place"
            )


def config_differences(there: Any, here: Any, path: str = "") -> list[str]:
    """List the settings that differ as `a.b: there -> here`."""
    if isinstance(there, dict) and isinstance(here, dict):
        found = []
        for key in sorted(set(there) | set(here)):
            found += config_differences(there.get(key, "(absent)"), here.get(key, "(absent)"), f"{path}.{key}" if path else key)
        return found
    unset = ("(absent)", None, "auto")  # an option that came later, or is gone, and is not used is no difference
    if there == RETIRED.get(path):
        there = None
    return [] if there == here or (there in unset and here in unset) else [f"{path}: {there} there, {here} here"]


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write plain data as YAML 1.2."""
    stream = StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.dump(dict(data), stream)
    return stream.getvalue()


def write_aside(path: Path, text: str) -> None:
    """Write a file so that it is there whole or not at all, whoever else writes it at the same time: the last one counts."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f"{path.name}.{uuid.uuid4().hex[:12]}{_ASIDE}")
    try:
        with temporary.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except OSError:
        temporary.unlink(missing_ok=True)
        raise


def write_json(path: Path, data: Any) -> None:
    """Write JSON so that it is there whole or not at all."""
    write_aside(path, json.dumps(data, indent=1, ensure_ascii=False) + "\n")


class JsonLines:
    """An append-only log whose length is part of a checkpoint, so that a resumed run continues it without repeats.

    Args:
        path: the file.
        keep: bytes to keep of what is there, at most; None keeps all. A line without its end is dropped.
    """

    def __init__(self, path: Path, keep: int | None = None) -> None:
        self._file = path.open("a+b")
        self._file.seek(0)
        there = self._file.read(keep)
        self._file.truncate(there.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)

    def write(self, **record: Any) -> None:
        """Append one record."""
        self._file.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
        self._file.flush()

    def size(self) -> int:
        """Bytes written so far, on disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        """Close the file."""
        self._file.close()
