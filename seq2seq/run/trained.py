"""What is done with a trained run: its weights loaded, its test sets translated, its attention written down."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seq2seq.config.errors import UserError
from seq2seq.config.loading import read_yaml, settings_from
from seq2seq.config.study import RunSettings
from seq2seq.corpus.batching import evaluation_batches
from seq2seq.corpus.prepare import EncodedSplit, PreparedData
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.models.build import build_model
from seq2seq.models.interface import Model
from seq2seq.run.checkpoint import find_checkpoint, load_weights
from seq2seq.run.folder import RunFolder, write_aside, write_json
from seq2seq.run.translation import Translation, one_line, translate


@dataclass(frozen=True)
class TrainedRun:
    """A run whose weights are in memory; needs nothing but its folder."""

    folder: RunFolder
    settings: RunSettings
    model: Model
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    step: int
    """Update after which the weights were taken."""


def read_settings(folder: RunFolder) -> RunSettings:
    """Return the settings a run was trained with.

    Raises:
        UserError: there is no run in the folder, or its config is damaged.
    """
    if not folder.config.is_file():
        raise UserError(f"{folder.path}: no run here (no config.yaml); train one with: python train.py STUDY")
    return settings_from(read_yaml(folder.config), str(folder.config))


def write_tokenizers(folder: RunFolder, data: PreparedData) -> None:
    """Keep the vocabularies with the run, so that it can translate without its corpus."""
    folder.tokenizers.mkdir(parents=True, exist_ok=True)
    data.source_tokenizer.save(folder.tokenizers / "source.model")
    data.target_tokenizer.save(folder.tokenizers / "target.model")


def load_run(folder: RunFolder, device: torch.device, *, allow_code: bool = False) -> TrainedRun:
    """Load the weights that are evaluated: the average of the last validations where there is one, else the best.

    Args:
        folder: of the run.
        device: where to put the model.
        allow_code: let the config import a class of its own; a folder from a stranger could bring any.

    Raises:
        UserError: no usable checkpoint, one that does not fit the config, or a class of its own that is not allowed.
    """
    settings = read_settings(folder)
    if not allow_code and (path := imported_class(settings.model_dump())):
        raise UserError(
            f"{folder.config}: the model imports {path}, which runs code; give --allow-code if you trust where it comes from"
        )
    source = Tokenizer.load(folder.tokenizers / "source.model")
    target = Tokenizer.load(folder.tokenizers / "target.model")
    model = build_model(settings.model, source_vocabulary=source.vocabulary_size, target_vocabulary=target.vocabulary_size).to(
        device
    )
    averaged = folder.best.with_name("averaged")
    place = averaged if averaged.exists() else folder.best
    found = find_checkpoint(place)
    if found.checkpoint is None:
        why = f" ({'; '.join(found.complaints)})" if found.complaints else ""
        raise UserError(f"{place}: no usable checkpoint{why}; run train.py again to train or resume this run")
    load_weights(model, found.checkpoint.model, str(place))
    return TrainedRun(
        folder=folder,
        settings=settings,
        model=model.eval(),
        source_tokenizer=source,
        target_tokenizer=target,
        step=int(found.checkpoint.state["step"]),
    )


def imported_class(settings: Any) -> str | None:
    """Return the first `module:Class` that resolved settings would import, if any."""
    if isinstance(settings, Mapping):
        if settings.get("kind") == "custom":
            return str(settings["path"])
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        return next((found for item in settings if (found := imported_class(item))), None)
    return None


def translate_tests(run: TrainedRun, data: PreparedData, device: torch.device) -> None:
    """Write `hypotheses/<split>.txt` and what is known of the search beside it, for every test split that has none yet."""
    for name, split in data.tests.items():
        path = run.folder.hypotheses(name)
        if path.exists() and path.with_suffix(".json").exists():
            continue
        began = time.perf_counter()
        found = translate(run.model, split, run.target_tokenizer, run.settings.search, device=device)
        seconds = time.perf_counter() - began
        write_aside(path, "".join(f"{one_line(t.text)}\n" for t in found))
        write_json(
            path.with_suffix(".json"),
            {
                "sentences": len(found),
                "truncated": [i for i, t in enumerate(found) if t.hypothesis.truncated],
                "seconds": round(seconds, 3),
                "search": run.settings.search.model_dump(),
                "step": run.step,
                "fingerprint": data.fingerprints[name],
            },
        )


def write_attention(run: TrainedRun, name: str, split: EncodedSplit, sentences: Sequence[int], device: torch.device) -> None:
    """Write `attention/<split>.json`: the weights of each sentence's hypothesis, and of its reference by forced decoding."""
    found = translate(
        run.model, split, run.target_tokenizer, run.settings.search, device=device, sentences=sentences, need_weights=True
    )
    records = []
    for index, translation in zip(sentences, found, strict=True):
        if translation.hypothesis.weights is None:
            return
        records.append(_attention_record(run, split, index, translation, device))
    write_json(run.folder.path / "attention" / f"{name}.json", records)


def _attention_record(
    run: TrainedRun, split: EncodedSplit, index: int, translation: Translation, device: torch.device
) -> dict[str, Any]:
    source, target = run.source_tokenizer, run.target_tokenizer
    end = ["</s>"]
    hypothesis = translation.hypothesis
    width = len(split.source_tokens(index)) + 1
    weights = hypothesis.weights
    return {
        "index": index,
        "source": source.pieces(split.source_tokens(index)) + end,
        "hypothesis": target.pieces(hypothesis.tokens) + ([] if hypothesis.truncated else end),
        "weights": _rounded(_reading_order(weights[:, :width], split)) if weights is not None else [],
        "forced": {
            "reference": target.pieces(split.target_tokens(index)) + end,
            "weights": _rounded(_reading_order(forced_weights(run.model, split, index, device), split)),
        },
    }


@torch.inference_mode()
def forced_weights(model: Model, split: EncodedSplit, index: int, device: torch.device) -> torch.Tensor:
    """(T, S) attention while the reference is fed, end of sentence included on both sides.

    Raises:
        ValueError: the model has no attention weights.
    """
    batch = next(iter(evaluation_batches(split, 1, [index]))).to(device)
    weights: torch.Tensor | None = model(batch.source, batch.source_mask, batch.inputs, need_weights=True).weights
    if weights is None:
        raise ValueError("this model has no attention weights")
    return weights[0].float().cpu()


def _reading_order(weights: torch.Tensor, split: EncodedSplit) -> torch.Tensor:
    """Put the source columns of (T, S) back into reading order where the source was fed reversed; the last is the end."""
    return torch.cat([weights[:, :-1].flip(1), weights[:, -1:]], dim=1) if split.reverse_source else weights


def _rounded(weights: torch.Tensor) -> list[list[float]]:
    return [[round(value, 4) for value in row] for row in weights.tolist()]


def find_runs(path: Path) -> list[RunFolder]:
    """Return the runs under a study folder, or the one that a run folder is, in order of system and seed.

    Raises:
        UserError: there is none.
    """
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; train a study first: python train.py configs/demo.yaml")
    places = [path] if (path / "config.yaml").is_file() else sorted(p.parent for p in path.glob("*/seed-*/config.yaml"))
    if not places:
        raise UserError(f"{path}: no runs here (no <system>/seed-<n>/config.yaml); train a study first")
    return sorted((RunFolder(p) for p in places), key=lambda r: (r.system, r.seed))
