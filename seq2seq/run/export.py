"""A trained Transformer in the format of CTranslate2, which decodes it in C++ without this package."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from seq2seq.config.differences import flatten
from seq2seq.config.errors import UserError
from seq2seq.corpus.tokenizer import BOS, PAD, Tokenizer
from seq2seq.models.embedding import PositionedEmbedding
from seq2seq.models.sublayers import EncoderLayer
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import TrainedRun, load_run, read_settings

_POSITIONS = 2048
"""Sinusoidal positions written to the file, as many as by CTranslate2's own converters; it refuses longer sentences."""
_NEVER = -1e4
"""Bias of a token that is never predicted; within the range of float16."""

_STACK = {
    "kind": ("transformer",),
    "positions.kind": ("sinusoidal", "learned"),
    "self_attention.mechanism.kind": ("full",),
    "self_attention.score.kind": ("scaled",),
    "self_attention.normaliser.kind": ("softmax",),
    "self_attention.attention_size": (None,),
}
_HELD = {
    "model.architecture": ("encoder_decoder",),
    **{f"model.{side}.{name}": values for side in ("encoder", "decoder") for name, values in _STACK.items()},
    "model.attention.score.kind": ("scaled",),
    "model.attention.normaliser.kind": ("softmax",),
    "model.attention.window.kind": ("global",),
    "model.attention.attention_size": (None,),
    "data.reverse_source": (False,),
}
"""What CTranslate2's Transformer holds: setting and the values that it has a formula for."""


def export_ctranslate2(run_path: Path, target: Path) -> None:
    """Write a run as a folder for `ctranslate2.Translator`, with its tokenizers (`source.model`, `target.model`).

    Exported are encoder-decoder Transformers with sinusoidal or learned positions and scaled dot-product attention. Greedy
    search agrees with ours up to ties in the last digits. Beam search differs in two points: CTranslate2 divides a score by
    length^alpha where ours divides by ((5 + length) / 6)^alpha, and at alpha 0 it goes on until the best hypothesis has ended
    where ours stops at K finished ones. It writes no empty translation unless `min_decoding_length=0`.

    Args:
        run_path: the run's folder.
        target: where to; must be empty or not exist.

    Raises:
        UserError: CTranslate2 is not installed or does not hold this model, or the target is taken.
    """
    try:
        import ctranslate2  # noqa: F401 (an optional extra, looked for before anything is loaded)
    except ModuleNotFoundError:
        raise UserError("export needs CTranslate2: pip install 'seq2seq[export]'") from None
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target}: already there; give a folder that is empty or does not exist")
    folder = RunFolder(run_path)
    check_held(run_path, read_settings(folder).model_dump(mode="json"))
    run = load_run(folder, torch.device("cpu"))
    specification = _transformer(run)
    specification.validate()
    specification.optimize()
    target.mkdir(parents=True, exist_ok=True)
    specification.save(str(target))
    run.source_tokenizer.save(target / "source.model")
    run.target_tokenizer.save(target / "target.model")


def check_held(path: Path, settings: Mapping[str, Any]) -> None:
    """Check that CTranslate2 has every formula of a run.

    Raises:
        UserError: it has not; the message names the first setting.
    """
    flat = flatten(settings)
    held = {**_HELD, "model.attention.heads": (flat.get("model.decoder.self_attention.heads"),)}
    for name, values in held.items():
        if (value := flat.get(name)) not in values:
            raise UserError(
                f"{path}: CTranslate2 holds encoder-decoder Transformers with sinusoidal or learned positions and scaled "
                f"softmax attention; this run has {name}: {value}, and only {' or '.join(map(str, values))} can be exported"
            )


def _transformer(run: TrainedRun) -> Any:
    from ctranslate2.specs import common_spec, transformer_spec

    kinds = {"encoder": transformer_spec.TransformerEncoderSpec, "decoder": transformer_spec.TransformerDecoderSpec}
    model: Any = run.model
    parts = {}
    for side, kind in kinds.items():
        stack = getattr(run.settings.model, side)
        activation = {"relu": common_spec.Activation.RELU, "gelu": common_spec.Activation.GELU}[stack.activation]
        part = kind(stack.layers, stack.self_attention.heads, pre_norm=stack.norm == "pre", activation=activation)
        ours = getattr(model, side)
        table = part.embeddings if side == "decoder" else part.embeddings[0]
        table.weight = ours.embedding.table.weight
        part.scale_embeddings = stack.scale_embeddings
        part.position_encodings.encodings = _positions(ours.embedding)
        if part.pre_norm:
            _norm(part.layer_norm, ours.final_norm)
        for layer, theirs in zip(ours.layers, part.layer, strict=True):
            _layer(theirs, layer)
        parts[side] = part
    decoder = parts["decoder"]
    decoder.projection.weight = model.output.weight
    decoder.projection.bias = model.output.bias.detach().clone()
    decoder.projection.bias[[PAD, BOS]] = _NEVER
    specification = transformer_spec.TransformerSpec(parts["encoder"], decoder)
    specification.register_source_vocabulary(_pieces(run.source_tokenizer))
    specification.register_target_vocabulary(_pieces(run.target_tokenizer))
    specification.config.add_source_eos = True
    return specification


def _positions(embedding: PositionedEmbedding) -> Tensor:
    positions: Any = embedding.positions
    with torch.no_grad():
        vectors: Tensor = positions(torch.arange(positions.max_positions if positions.limited else _POSITIONS))
    return vectors


def _layer(theirs: Any, ours: EncoderLayer[Any]) -> None:
    _norm(theirs.self_attention.layer_norm, ours.around_attention.norm)
    query, key, value, output = _projections(ours.self_attention.attention)
    theirs.self_attention.linear[0].weight = torch.cat([query, key, value])
    theirs.self_attention.linear[1].weight = output
    if hasattr(theirs, "attention"):
        _norm(theirs.attention.layer_norm, ours.around_cross.norm)
        query, key, value, output = _projections(ours.cross_attention)
        for linear, weight in zip(theirs.attention.linear, (query, torch.cat([key, value]), output), strict=True):
            linear.weight = weight
    _norm(theirs.ffn.layer_norm, ours.around_feedforward.norm)
    for linear, layer in ((theirs.ffn.linear_0, ours.feedforward.inner), (theirs.ffn.linear_1, ours.feedforward.outer)):
        linear.weight, linear.bias = layer.weight, layer.bias


def _projections(attention: Any) -> list[Tensor]:
    linears: list[Any] = [attention.query_proj, attention.key_proj, attention.value_proj, attention.output_proj]
    return [linear.weight.detach() for linear in linears]


def _norm(theirs: Any, ours: Any) -> None:
    theirs.gamma, theirs.beta = ours.weight, ours.bias


def _pieces(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.pieces(range(tokenizer.vocabulary_size))
