"""What the page asks for: a sentence in every system's translation, with the attention that made it."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seq2seq.config.errors import UserError
from seq2seq.corpus.encoded import encode_lines
from seq2seq.corpus.tokenizer import EOS, normalise
from seq2seq.run.decision import evaluation_arithmetic
from seq2seq.run.machine import prepare_machine
from seq2seq.run.trained import TrainedRun, find_runs, load_run, read_weights, rounded
from seq2seq.run.translation import one_line, translate

MAX_CHARACTERS = 2000


@dataclass(frozen=True)
class Translators:
    """Runs in memory, by the name that the page shows."""

    runs: dict[str, TrainedRun]
    device: torch.device

    def translate(self, text: str) -> list[dict[str, Any]]:
        """Translate one sentence with every system.

        Raises:
            UserError: there is nothing to translate, or too much.
        """
        line = normalise(text)
        if not line:
            raise UserError("type a sentence first")
        if len(line) > MAX_CHARACTERS:
            raise UserError(f"a sentence of {len(line):,} characters is too long for this page; {MAX_CHARACTERS:,} are allowed")
        return [self._answer(name, run, line) for name, run in self.runs.items()]

    def _answer(self, name: str, run: TrainedRun, line: str) -> dict[str, Any]:
        try:
            return {"system": name, **_translated(run, line, self.device)}
        except UserError as error:  # one system may refuse a sentence that others take: too long for its positions
            return {"system": name, "error": str(error)}


def _translated(run: TrainedRun, line: str, device: torch.device) -> dict[str, Any]:
    split = encode_lines([line], run.source_tokenizer, reverse_source=run.settings.data.reverse_source)
    (found,) = translate(run.model, split, run.target_tokenizer, run.settings.search, device=device, need_weights=True)
    hypothesis = found.hypothesis
    columns, weights = read_weights(run, split, 0, hypothesis.weights)
    return {
        "text": one_line(found.text),
        "score": round(hypothesis.score, 4),
        "truncated": hypothesis.truncated,
        "source": [column.name for column in columns],
        "target": run.target_tokenizer.pieces([*hypothesis.tokens, *([] if hypothesis.truncated else [EOS])]),
        "weights": None if weights is None or not weights.any() else rounded(weights),  # a fixed context attends to no token
    }


def load_translators(paths: Sequence[Path], *, allow_code: bool = False) -> Translators:
    """Load runs, or all runs under folders.

    Raises:
        UserError: no run there, or one that cannot be loaded.
    """
    folders = [folder for path in paths for folder in find_runs(path)]
    device = prepare_machine(evaluation_arithmetic(folders[0] if folders else None)).device
    seeds = len({folder.seed for folder in folders}) > 1
    runs: dict[str, TrainedRun] = {}
    for folder in folders:
        name = f"{folder.system} seed {folder.seed}" if seeds else folder.system
        if name in runs:
            name = str(folder.path)
        runs[name] = load_run(folder, device, allow_code=allow_code)
    return Translators(runs, device)
