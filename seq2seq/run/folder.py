"""A run's folder: what lies where, who may write to it, and whether it belongs to the config at hand."""

import fcntl
import json
import os
import re
import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any, TypeVar

from ruamel.yaml import YAML

from seq2seq.config.base import checked
from seq2seq.config.differences import described
from seq2seq.config.errors import UserError
from seq2seq.config.files import ASIDE, read_record, write_aside, write_json
from seq2seq.config.identity import changes, same_search, why_not_longer
from seq2seq.config.loading import plain, read_yaml

__all__ = ["JsonLines", "RunFolder", "dump_yaml", "write_aside", "write_json"]

_ELSEWHERE = "give --out DIR for a new place"
_RECORD_LOST = "copy it from elsewhere, or remove it, and what the run was made with is no longer known"
_TRANSLATED_AGAIN = "and a report translates again"
RECORD_ADVICE = f"remove it and the text beside it, {_TRANSLATED_AGAIN}"
"""Advice about a damaged record of translations."""
_SEED = re.compile(r"seed-(\d+)")
T = TypeVar("T")


def run_name(system: str, seed: int | None) -> str:
    """A run as a person calls it; without a seed the system alone."""
    return system if seed is None else f"{system} seed {seed}"


def checkpoint_before(folder: Path) -> Path:
    """The place of the checkpoint that `folder` replaced."""
    return folder.with_name(folder.name + ".previous")


def damaged_translations(path: Path, why: str) -> UserError:
    """The error that a file of translations is not as it was written."""
    return UserError(f"{path}: {why}; remove it, {_TRANSLATED_AGAIN}")


class RunFolder:
    """`<study>/<system>/seed-<n>/`, which need not exist, and the files in it."""

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

    @property
    def name(self) -> str:
        """System and seed, as a person calls the run."""
        return run_name(self.system, self.seed)

    def recent_checkpoints(self) -> list[Path]:
        """Return the complete checkpoints in `recent`, oldest first."""
        return sorted(place for place in self.recent.glob("step-*") if not place.suffix)

    def hypotheses(self, split: str) -> Path:
        return self.path / "hypotheses" / f"{split}.txt"

    def attention(self, split: str) -> Path:
        """The file of attention on a few sentences of a split."""
        return self.path / "attention" / f"{split}.json"

    def read_summary(self) -> dict[str, Any]:
        """Return `summary.json`, or an empty one while there is none."""
        return read_record(self.summary, dict[str, Any], "remove the file, and the train command makes it again") or {}

    def is_finished(self) -> bool:
        """Whether training came to its end here."""
        return self.read_summary().get("status") == "finished"

    def has_trained(self) -> bool:
        """Whether there is anything to lose here: a checkpoint, a logged step or translations."""
        logged = self.log.exists() and self.log.stat().st_size > 0
        return logged or any(self.path.glob("checkpoints/*/state.json")) or any(self.path.glob("hypotheses/*.txt"))

    def is_done(self, config: Mapping[str, Any]) -> bool:
        """Whether a config asks for nothing that is not here: trained to its end, every test split translated as it says."""
        return self.is_finished() and not changes(self._config(), config).raised and not self.untranslated(config)

    def untranslated(self, config: Mapping[str, Any]) -> list[str]:
        """Return the test splits of a config that were not translated, or not with its search."""
        return [name for name in config["data"]["test"] if not self._answers(name, config["search"])]

    def _answers(self, split: str, search: Mapping[str, Any]) -> bool:
        facts = self.decoding(split)
        if facts is None:
            return False
        return any(same_search(facts[key], search) for key in ("search", "instead_of") if key in facts) or "search" not in facts

    def decoding(self, split: str) -> dict[str, Any] | None:
        """Return what is known of the translations of a split: search, step, fingerprint; None while there are none."""
        path = self.hypotheses(split)
        return read_record(path.with_suffix(".json"), dict[str, Any], RECORD_ADVICE) if path.exists() else None

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the folder until the process ends, however it ends; a `UserError` if another one holds it."""
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

    def check(self, config: Mapping[str, Any]) -> list[str]:
        """Check that a config is this run's, or asks for more of it (`config.identity`); writes nothing.

        Returns the limits of training that it raises, as `path: 1 there, 2 here`; a `UserError` if the folder cannot be used.
        """
        if not self.config.exists():
            # a process that was killed at once leaves no more than a lock and a file half written
            if self.path.exists() and not all(p.name == ".lock" or p.suffix == ASIDE for p in self.path.iterdir()):
                raise UserError(
                    f"{self.path}: not empty and has no config.yaml, so not a run of ours; give --out DIR for another place"
                )
            return []
        if not self.has_trained():
            return []
        there = self._config()
        found = changes(there, config)
        if found.identity:
            raise UserError(
                f"{self.path}: this run was made with other settings ({'; '.join(found.identity[:5])}); "
                f"{_ELSEWHERE}, or remove the folder"
            )
        if found.raised and (reason := why_not_longer(there, config)):
            raise UserError(f"{self.path}: cannot be trained longer ({'; '.join(found.raised)}): {reason}")
        kept = any((place / "state.json").exists() for place in (self.last, checkpoint_before(self.last)))
        if found.raised and self.is_finished() and not kept:
            raise UserError(f"{self.last}: no checkpoint to train on from ({'; '.join(found.raised)}); give --out DIR")
        return found.raised

    def claim(self, config: Mapping[str, Any]) -> list[str]:
        """Write the resolved config, after `check`, whose result it returns; take back what a start wrote that trained nothing.

        A finished run whose limits are raised is no longer one: its summary is kept in the new one's `earlier`, its weights in
        `checkpoints/step-<n>`.
        """
        raised = self.check(config)
        if self.config.exists() and not self.has_trained():
            self.environment.unlink(missing_ok=True)
        if raised and self.is_finished():
            self._keep_end()
        if not self.config.exists() or described(self._config(), config):
            write_aside(self.config, dump_yaml(config))
        return raised

    def _config(self) -> dict[str, Any]:
        found = plain(read_yaml(self.config))
        if not isinstance(found, dict):
            raise UserError(f"{self.config}: expected a mapping of settings")
        return found

    def evaluated(self) -> Path:
        """Return the checkpoint that is evaluated: the average of the last validations where there is one, else the best."""
        return self.averaged if self.averaged.exists() else self.best

    def _keep_end(self) -> None:
        """Set the end of a finished run aside before it is trained longer: its weights first, then its summary."""
        ended = self.read_summary()
        kept = self.best.with_name(f"step-{ended.get('steps', 0)}")
        if self.evaluated().exists() and not kept.exists():
            shutil.copytree(self.evaluated(), kept, copy_function=_link)  # a checkpoint's files are never written again
        earlier = [*ended.pop("earlier", []), ended]
        write_json(self.summary, {"status": "being trained longer", "earlier": earlier})

    def check_fingerprints(self, fingerprints: Mapping[str, str], what: str = "data", where: str = "corpus") -> None:
        """Check that data, tokenizers and own code are those of the training so far, if any; a `UserError` names others."""
        known = self.fingerprints()
        changed = described({name: known.get(name) for name in fingerprints}, dict(fingerprints))
        if known and changed:
            short = "; ".join(" ".join(word[:12] if len(word) >= 64 else word for word in text.split()) for text in changed)
            raise UserError(
                f"{self.path}: this run was made with other {what} (SHA-256 of {short}); put the {where} back, or {_ELSEWHERE}"
            )

    def fingerprints(self) -> dict[str, str]:
        """Return SHA-256 by name of the splits, tokenizers and own code that the run was made with; empty before it began."""
        return self.recorded("fingerprints", dict[str, str]) or {}

    def recorded(self, name: str, kind: type[T]) -> T | None:
        """Return a part of `environment.json`, None where there is none; a `UserError` if it is damaged."""
        found = self.read_environment().get(name)
        return None if found is None else checked(kind, found, self.environment, _RECORD_LOST)

    def read_environment(self) -> dict[str, Any]:
        """Return `environment.json`, or an empty one while there is none."""
        return read_record(self.environment, dict[str, Any], _RECORD_LOST) or {}


def _link(source: str, target: str) -> None:
    """Make a hard link, or a copy where the file system has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def dump_yaml(data: Mapping[str, Any]) -> str:
    """Write plain data as YAML 1.2."""
    stream = StringIO()
    writer = YAML(typ="safe", pure=True)
    writer.default_flow_style = False
    writer.sort_base_mapping_type_on_output = False  # type: ignore[assignment]
    writer.dump(dict(data), stream)
    return stream.getvalue()


class JsonLines:
    """An append-only log; of what is there `keep` bytes stay, as a checkpoint says (None: all), up to the last whole line."""

    def __init__(self, path: Path, keep: int | None = None) -> None:
        self._file = path.open("a+b")
        self._file.seek(0)
        there = self._file.read(keep)
        self._file.truncate(there.rfind(b"\n") + 1)
        self._file.seek(0, os.SEEK_END)

    def write(self, **record: Any) -> None:
        self._file.write((json.dumps(record, ensure_ascii=False) + "\n").encode())
        self._file.flush()

    def size(self) -> int:
        """Bytes written so far, on disk."""
        os.fsync(self._file.fileno())
        return self._file.tell()

    def close(self) -> None:
        self._file.close()
