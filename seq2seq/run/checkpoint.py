"""Checkpoints: folders written aside, flushed, renamed, and checked when read; loading one runs no code.

`model.safetensors`, perhaps `optimizer.safetensors`, and `state.json`, which holds the SHA-256 of the other files.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from seq2seq.config.errors import FREE_SPACE, RunError, UserError, first_line
from seq2seq.config.files import write_aside
from seq2seq.run.folder import checkpoint_before

MODEL, OPTIMIZER, STATE = "model.safetensors", "optimizer.safetensors", "state.json"


class Checkpoint(NamedTuple):
    """Contents of a checkpoint."""

    model: dict[str, Tensor]
    optimizer: dict[str, Tensor]
    """Flat names; empty where the optimiser was not kept."""
    state: dict[str, Any]
    """JSON values: step, position in the data, counters."""


class DamagedError(Exception):
    """A checkpoint that is incomplete, altered or not one of ours."""


def save_checkpoint(folder: Path, checkpoint: Checkpoint) -> None:
    """Replace the checkpoint in `folder`, and keep the one before as `<folder>.previous`: one is always complete on disk."""
    writing, previous = folder.with_name(folder.name + ".writing"), checkpoint_before(folder)
    try:
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir(parents=True)
        _write(writing, checkpoint)
        if folder.exists():
            shutil.rmtree(previous, ignore_errors=True)
            folder.rename(previous)
        writing.rename(folder)
        _flush(folder.parent)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(writing, ignore_errors=True)
        raise RunError(
            f"{folder}: the checkpoint could not be written ({getattr(error, 'strerror', None) or error}); the last complete "
            f"one is kept. {FREE_SPACE.capitalize()}"
        ) from error


def _write(folder: Path, checkpoint: Checkpoint) -> None:
    sums = {}
    for name, tensors in ((MODEL, checkpoint.model), (OPTIMIZER, checkpoint.optimizer)):
        if tensors:
            save_file({key: value.detach().contiguous().cpu() for key, value in tensors.items()}, folder / name)
            sums[name] = _sha256(folder / name)
            _flush(folder / name)
    body = {"state": checkpoint.state, "sha256": sums}
    write_aside(folder / STATE, json.dumps({**body, "own_sha256": _digest(body)}, indent=1, sort_keys=True) + "\n")
    _flush(folder)


def _digest(body: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _flush(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def load_checkpoint(folder: Path) -> Checkpoint:
    """Read and check a checkpoint folder; a `DamagedError` if a file is missing, truncated, altered or of another kind."""
    try:
        body = json.loads((folder / STATE).read_text(encoding="utf-8"))
        claimed = body.pop("own_sha256")
        if claimed != _digest(body):
            raise DamagedError(f"{folder / STATE}: checksum differs")
        for name, digest in body["sha256"].items():
            if name not in (MODEL, OPTIMIZER) or _sha256(folder / name) != digest:
                raise DamagedError(f"{folder / name}: checksum differs")
        if MODEL not in body["sha256"]:
            raise DamagedError(f"{folder / MODEL}: missing")
        model = load_file(folder / MODEL)
        optimizer = load_file(folder / OPTIMIZER) if OPTIMIZER in body["sha256"] else {}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, SafetensorError) as error:
        raise DamagedError(f"{folder}: {first_line(error)}") from error
    return Checkpoint(model=model, optimizer=optimizer, state=body["state"])


def find_checkpoint(folder: Path) -> tuple[Checkpoint | None, list[str]]:
    """Load `folder`, or, if it is damaged or was being replaced, the complete one beside it; says which were passed over."""
    complaints: list[str] = []
    for candidate in (folder, checkpoint_before(folder)):
        if not candidate.exists():
            continue
        try:
            return load_checkpoint(candidate), complaints
        except DamagedError as error:
            complaints.append(f"damaged checkpoint passed over: {error}")
    return None, complaints


def load_weights(model: torch.nn.Module, weights: Mapping[str, Tensor], where: str) -> None:
    """Copy weights into a model; a `UserError` names the first whose name or shape differs from the model's."""
    wanted = trainable_state(model)
    for name in sorted(set(wanted) ^ set(weights)):
        raise UserError(f"{where}: {'missing' if name in wanted else 'unexpected'} weights '{name}'; saved from another model?")
    for name, value in weights.items():
        if value.shape != wanted[name].shape:
            raise UserError(
                f"{where}: '{name}' has shape {tuple(value.shape)}, this model's is {tuple(wanted[name].shape)}; "
                "it was trained with another config, vocabulary or version (CHANGELOG.md names those that do not load)"
            )
        with torch.no_grad():
            wanted[name].copy_(value)


def trainable_state(model: torch.nn.Module) -> dict[str, Tensor]:
    """Return parameters and buffers by name, a shared tensor once under its first name."""
    first: dict[int, tuple[str, Tensor]] = {}
    for name, value in model.state_dict(keep_vars=True).items():
        first.setdefault(id(value), (name, value))
    return dict(first.values())
