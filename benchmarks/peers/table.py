"""Which other trainers and decoders there are, and what each is asked to do."""

import os
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, kw_only=True)
class Peer:
    """One of them."""

    name: str
    """Of its environment's folder and of its adapter, a module of this package."""
    title: str
    trains: tuple[str, ...] = ()
    decodes: tuple[str, ...] = ()
    prepares: tuple[str, ...] = ()
    """Models for which something has to be made before anything is timed: a corpus of its own form, a model to decode with."""


PEERS = (
    Peer(name="ct2", title="CTranslate2 float32", decodes=("A2",)),
    Peer(name="onmt", title="OpenNMT-py", trains=("A1", "A2"), decodes=("A1", "A2"), prepares=("A1", "A2")),
    Peer(name="eole", title="eole", trains=("A1", "A2"), decodes=("A1", "A2"), prepares=("A1", "A2")),
    Peer(name="joeynmt", title="JoeyNMT", trains=("A1", "A2")),
    Peer(name="sockeye", title="Sockeye", trains=("A2",), prepares=("A2",)),
    Peer(name="marian", title="transformers, bare loop", trains=("A2",)),
)
"""CTranslate2 reads what OpenNMT-py has made."""

FOLDERS = {"marian": "hf"}
"""Environments that have another name than their adapter."""


def python_of(peer: Peer, folder: Path) -> Path | None:
    """Return the interpreter of a peer's environment below `folder`, None if there is none."""
    for name in (peer.name, FOLDERS.get(peer.name, peer.name)):
        python = folder / name / "bin" / "python"
        if os.access(python, os.X_OK):
            return python.absolute()
    return None
