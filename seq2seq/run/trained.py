"""Use of a trained run: found, also on the Hugging Face hub, its weights loaded, its attention written down."""

import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from seq2seq.config.embedded import IMAGE
from seq2seq.config.errors import UserError, first_line
from seq2seq.config.loading import imported_class, part_from, read_yaml
from seq2seq.config.study import RunSettings
from seq2seq.corpus.batching import evaluation_batches
from seq2seq.corpus.encoded import EncodedSplit, encode_lines
from seq2seq.corpus.images import ImageTokenizer
from seq2seq.corpus.tokenizer import EOS, Column, Tokenizer
from seq2seq.models.build import build_model
from seq2seq.models.interface import Model
from seq2seq.models.search import Hypothesis
from seq2seq.run.checkpoint import find_checkpoint, load_weights
from seq2seq.run.folder import RunFolder
from seq2seq.run.reading import Reading, Weights

_OF_THE_HUB = ["*.yaml", "*.json", "*.safetensors", "*.model"]
"""What a run is made of; nothing else is downloaded, and none of it can hold code."""


@dataclass(frozen=True)
class TrainedRun:
    """A run whose weights are in memory; needs nothing but its folder."""

    folder: RunFolder
    settings: RunSettings
    model: Model
    source_tokenizer: Tokenizer
    target_tokenizer: Tokenizer
    step: int
    """Update after which the weights were taken, the last one of an average."""
    weights: str = ""
    """Which they are: `step 400`, or `average of steps 200, 300, 400`; empty where nothing was trained."""

    def encode(self, lines: Sequence[str], targets: Sequence[str] | None = None) -> EncodedSplit:
        """Make a split of sentences to translate, or to feed with `targets`."""
        tokenizers, reverse = (self.source_tokenizer, self.target_tokenizer), self.settings.data.reverse_source
        return encode_lines(lines, *tokenizers, targets=targets, reverse_source=reverse)


def read_settings(folder: RunFolder) -> RunSettings:
    """Return the settings a run was trained with; a `UserError` if there is no run in the folder, or its config is damaged."""
    if not folder.config.is_file():
        found = (path.parent for pattern in ("seed-*", "*/seed-*") for path in folder.path.glob(f"{pattern}/config.yaml"))
        below = ", ".join(map(str, sorted(found)[:6]))
        advice = f"give one of {below}" if below else "train one with: seq2seq train STUDY"
        raise UserError(f"{folder.path}: no run here (no config.yaml); {advice}")
    return part_from(RunSettings, read_yaml(folder.config), str(folder.config))


def write_tokenizers(folder: Path, source: Tokenizer, target: Tokenizer) -> None:
    """Keep the vocabularies with a model, so that it can translate without its corpus."""
    folder.mkdir(parents=True, exist_ok=True)
    source.save(folder / "source.model")
    target.save(folder / "target.model")


def load_run(folder: RunFolder, device: torch.device, *, allow_code: bool = False) -> TrainedRun:
    """Load the weights that are evaluated; a `UserError` if none are usable and fit the config, or a class is not allowed."""
    check_code([folder], allow_code=allow_code)
    settings = read_settings(folder)
    source, target = read_tokenizers(folder)
    model = build_for(settings, source, target).to(device)
    place = folder.evaluated()
    found, complaints = find_checkpoint(place)
    if found is None:
        why = f" ({'; '.join(complaints)})" if complaints else ""
        raise UserError(f"{place}: no usable checkpoint{why}; give the command that trains it again to train or resume it")
    for complaint in complaints:
        print(f"{complaint}; the weights of {describe_weights(found.state)} are used", file=sys.stderr)
    load_weights(model, found.model, str(place))
    return TrainedRun(
        folder=folder,
        settings=settings,
        model=model.eval(),
        source_tokenizer=source,
        target_tokenizer=target,
        step=int(found.state["step"]),
        weights=describe_weights(found.state),
    )


def build_for(settings: RunSettings, source: Tokenizer, target: Tokenizer) -> Model:
    """Build a run's model with fresh weights and a row for each subword of its tokenizers."""
    return build_model(settings.model, source_vocabulary=source.vocabulary_size, target_vocabulary=target.vocabulary_size)


def read_tokenizers(folder: RunFolder) -> tuple[Tokenizer, Tokenizer]:
    """Return the vocabularies of source and target that a run was trained with; a `UserError` if they are not those."""
    known, data = folder.fingerprints(), read_settings(folder).data
    source, target = (
        (ImageTokenizer if getattr(data, side) == IMAGE else Tokenizer).load(
            folder.tokenizers / f"{side}.model", known.get(f"{side}_tokenizer")
        )
        for side in ("source", "target")
    )
    return source, target


def check_code(folders: Iterable[RunFolder], *, allow_code: bool) -> None:
    """Refuse, with a `UserError`, a run whose config imports a class: a folder from a stranger could bring any."""
    for folder in () if allow_code else folders:
        if path := imported_class(read_settings(folder).model_dump()):
            raise UserError(
                f"{folder.config}: the model imports {path}, which runs code; give --allow-code (allow_code=True in Python) "
                "if you trust where it comes from"
            )


def describe_weights(state: Mapping[str, Any]) -> str:
    """Return which weights a checkpoint with this state holds: of one step, or an average."""
    if "averaged" not in state:
        return f"step {state['step']}"
    steps = state.get("steps", [f"up to {state['step']}"])  # a run made before they were kept knows the last one only
    return f"average of steps {', '.join(map(str, steps))}"


def source_columns(
    tokenizer: Tokenizer, split: EncodedSplit, index: int, weights: torch.Tensor
) -> tuple[list[Column], Weights]:
    """Return what columns over source `index` stand for, and weights (T, S') on them in reading order, without padding."""
    columns = tokenizer.columns(split.source(index), split.source_tokens(index), weights.shape[1])
    kept = weights[:, : len(columns)]
    if split.reverse_source:  # the end stays last
        kept = torch.cat([kept[:, :-1].flip(1), kept[:, -1:]], dim=1)
    return columns, kept.double().cpu().numpy()


@torch.inference_mode()
def read_reference(model: Model, tokenizers: tuple[Tokenizer, Tokenizer], split: EncodedSplit, index: int) -> Reading:
    """Return the subwords and weights of a reference while it is fed."""
    source, target = tokenizers
    batch = next(iter(evaluation_batches(split, 1, [index]))).to(model.device)
    weights = model(batch.source, batch.source_mask, batch.inputs, need_weights=True).weights
    assert weights is not None  # they are asked for
    return _reading(source, split, index, target.pieces([*split.target_tokens(index), EOS]), weights[0].float())


def read_hypothesis(run: TrainedRun, split: EncodedSplit, index: int, hypothesis: Hypothesis) -> Reading:
    """Return the subwords and weights of a hypothesis for sentence `index` of a split, searched for with weights."""
    said = run.target_tokenizer.pieces([*hypothesis.tokens, *([] if hypothesis.truncated else [EOS])])
    assert hypothesis.weights is not None  # they were asked for
    return _reading(run.source_tokenizer, split, index, said, hypothesis.weights)


def _reading(source: Tokenizer, split: EncodedSplit, index: int, said: list[str], weights: torch.Tensor) -> Reading:
    columns, kept = source_columns(source, split, index, weights)
    return Reading([column.name for column in columns], said, kept)


def rounded(weights: Weights | None) -> list[list[float]]:
    """Return weights (T, S) as a file holds them; of none an empty list."""
    return [] if weights is None else [[round(value, 4) for value in row] for row in weights.tolist()]


def local_path(path: str | Path) -> Path:
    """Return a path as it is, or that of `hub:OWNER/NAME[/SYSTEM/seed-1]` in the hub's cache; a `UserError` if not there."""
    if not str(path).startswith("hub:"):
        return Path(path)
    found = re.fullmatch(r"hub:([\w.-]+/[\w.-]+)((?:/[\w+][\w.+-]*)*)", str(path))
    if found is None:
        raise UserError(f"{path}: not a name on the hub; write hub:OWNER/NAME, or hub:OWNER/NAME/SYSTEM/seed-1 of a study")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(found[1], allow_patterns=_OF_THE_HUB)) / found[2].strip("/")
    except (OSError, ValueError) as error:  # HTTP errors, no connection, a name that cannot be
        raise UserError(f"{path}: cannot be downloaded ({first_line(error)})") from None


def find_runs(path: Path) -> list[RunFolder]:
    """Return the runs under a study's folder, or the one of a run's, by system and seed; a `UserError` if there is none."""
    if not path.is_dir():
        raise UserError(f"{path}: no such folder; train a study first: seq2seq demo")
    found = (p.parent for p in path.glob("*/seed-*/config.yaml") if p.parent.name.removeprefix("seed-").isdecimal())
    places = [path] if (path / "config.yaml").is_file() else sorted(found)  # a backup such as seed-1.bak is passed over
    if not places:
        is_system = any(path.glob("seed-*/config.yaml"))
        advice = f"give the study's folder, {path.resolve().parent}" if is_system else "train a study first"
        raise UserError(f"{path}: no runs here (no <system>/seed-<n>/config.yaml); {advice}")
    return sorted((RunFolder(p) for p in places), key=lambda r: (r.system, r.seed))
