"""Which cells there are, for what was asked."""

import argparse
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from benchmarks.cells import OURS, PLAIN, Cell, Row
from benchmarks.peers.table import PEERS, python_of
from benchmarks.systems import MODELS

PEER_MODELS = ("A1", "A2")
"""Those that other programs are measured with."""
SCALES = (10_000, 100_000, 1_000_000)
_TRAININGS = (
    (OURS, "auto", False),
    (OURS, "fp32", False),
    (OURS, "bf16", False),
    (PLAIN, "fp32", False),
    (PLAIN, "fp32", True),
    (PLAIN, "bf16", True),
)
"""Who, precision, and whether the environment tells the allocator to keep memory (this project does so by itself)."""


def plan(arguments: argparse.Namespace, work: Path) -> list[Cell]:
    """Every cell of a round, this project first, those that `--only` leaves out left out."""
    cells = [*_own(arguments), *(_peers(arguments, work) if arguments.peers else [])]
    return [cell for cell in cells if re.search(arguments.only, cell.name)]


def _own(arguments: argparse.Namespace) -> list[Cell]:
    corpus, limit = ("--corpus", arguments.corpus), arguments.limit
    steps = (*corpus, "--steps", str(arguments.steps))
    cells = []
    for model in MODELS:
        for who, precision, keeps in _TRAININGS:
            trainer = "plain" if who == PLAIN else "own"
            command = ("benchmarks.train_cell", trainer, model, precision, *steps)
            names = {"model": model, "who": who, "precision": precision}
            cells.append(Cell(kind="train", command=command, keeps_memory=keeps, limit=limit, **names))
        if model in PEER_MODELS:
            cells.append(Cell(kind="decode", model=model, command=("benchmarks.decode_cell", model, *corpus), limit=limit))
    cells.append(Cell(kind="start", model="A1", command=("benchmarks.start_cell", *corpus), limit=limit))
    if arguments.scaling:
        for pairs in SCALES:
            measured = ("benchmarks.scaling_cell", str(pairs), "--steps", str(arguments.steps))
            cells.append(Cell(kind="scale", model=f"{pairs:,} pairs", command=measured, limit=10 * limit))
        cells.append(Cell(kind="length", command=("benchmarks.length_cell",), limit=limit))
    return cells


def _peers(arguments: argparse.Namespace, work: Path) -> list[Cell]:
    cells = []
    for peer in PEERS:
        python = python_of(peer, arguments.peers)
        if python is None:
            continue
        run = ("benchmarks.peers.launch", peer.name)
        places = ("--pieces", str(work / "pieces"), "--work", str(work))
        for kind, models in (("train", peer.trains), ("decode", peer.decodes)):
            steps = ("--steps", str(arguments.steps)) if kind == "train" else ()
            cells += [
                Cell(
                    kind=kind,
                    model=model,
                    who=peer.title,
                    command=(*run, kind, model, *places, *steps),
                    python=str(python),
                    limit=arguments.limit,
                )
                for model in models
            ]
    return cells


def preparations(cells: Sequence[Cell], arguments: argparse.Namespace, work: Path) -> list[Cell]:
    """What has to be made before the peers among `cells` can be measured; CTranslate2 needs OpenNMT-py's model."""
    wanted = {(cell.command[1], cell.model) for cell in cells if cell.is_peer}
    wanted |= {("onmt", model) for name, model in wanted if name == "ct2"}
    places = ("--pieces", str(work / "pieces"), "--work", str(work))
    made = []
    for peer in PEERS:
        python = python_of(peer, arguments.peers)
        made += [
            Cell(
                kind="prepare",
                model=model,
                who=peer.title,
                command=("benchmarks.peers.launch", peer.name, "prepare", model, *places),
                python=str(python),
                limit=arguments.limit,
            )
            for model in peer.prepares
            if python and (peer.name, model) in wanted
        ]
    return made


def with_memory(rows: Sequence[Row]) -> list[Cell]:
    """The best peer of each table and model once more, with the allocator that this project gives itself."""
    cells = []
    for kind, figure in (("train", "tokens_per_second"), ("decode", "sentences_per_second")):
        for model in PEER_MODELS:
            found = [row for row in rows if row.cell.is_peer and (row.cell.kind, row.cell.model) == (kind, model) and row.good]
            if found:
                best = max(found, key=lambda row: row.middle(figure) or 0.0)
                cells.append(replace(best.cell, keeps_memory=True))
    return cells
