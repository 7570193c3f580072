"""A trained run in the formats of others: a Transformer for CTranslate2, which decodes it in C++, a recurrent model as ONNX."""

import warnings
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import TreeSpec, tree_flatten, tree_unflatten

from seq2seq.config.differences import flatten
from seq2seq.config.errors import UserError
from seq2seq.corpus.tokenizer import BOS, EOS, PAD, UNK, Tokenizer
from seq2seq.models.embedding import PositionedEmbedding, embed
from seq2seq.models.interface import Memory, Model, State
from seq2seq.models.sublayers import EncoderLayer
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import TrainedRun, load_run, local_path, read_settings, write_tokenizers

_POSITIONS = 2048
"""Sinusoidal positions written to the file, as many as by CTranslate2's own converters; it refuses longer sentences."""
_NEVER = -1e4  # bias of a token that is never predicted; within the range of float16

_STACK = {
    "kind": ("transformer",),
    "positions.kind": ("sinusoidal", "learned"),
    "self_attention.mechanism.kind": ("full",),
    "self_attention.score.kind": ("scaled",),
    "self_attention.normaliser.kind": ("softmax",),
    "self_attention.attention_size": (None,),
}
IN_CTRANSLATE2 = {
    "model.architecture": ("encoder_decoder",),
    **{f"model.{side}.{name}": values for side in ("encoder", "decoder") for name, values in _STACK.items()},
    "model.attention.score.kind": ("scaled",),
    "model.attention.normaliser.kind": ("softmax",),
    "model.attention.window.kind": ("global",),
    "model.attention.attention_size": (None,),
    "data.reverse_source": (False,),
}
"""What CTranslate2's Transformer holds: setting and the values that it has a formula for."""
_IN_ONNX = ("none", "none-state", "mean", "dot", "scaled", "bilinear", "additive", "sum_tanh", "cosine", "mlp")
IN_ONNX = {
    "model.architecture": ("encoder_decoder",),
    "model.encoder.kind": ("rnn",),
    "model.decoder.kind": ("rnn",),
    "model.attention.score.kind": _IN_ONNX,
    "model.attention.normaliser.kind": ("softmax",),
    "model.attention.window.kind": ("global",),
    "data.reverse_source": (False,),
}
"""What is written as ONNX: recurrent models whose attention needs neither the step's number nor earlier weights."""


def export_ctranslate2(run_path: Path, target: Path) -> None:
    """Write a run as a folder for `ctranslate2.Translator`, with its tokenizers (`source.model`, `target.model`).

    Greedy search agrees with ours up to ties in the last digits; docs/models.md has what differs in beam search. It writes no
    empty translation unless `min_decoding_length=0`. A `UserError` if CTranslate2 is not installed or does not hold this model,
    or `target` is not empty.
    """
    run = _loaded(run_path, target, "ctranslate2", IN_CTRANSLATE2)
    specification = _transformer(run)
    specification.validate()
    specification.optimize()
    specification.save(str(target))


def export_onnx(run_path: Path, target: Path) -> None:
    """Write a recurrent run as two graphs; the search over them is left to whoever runs them.

    `encoder.onnx`: source (1, S), end of sentence included, to state_0, state_1 ...
    `decoder.onnx`: a token (1,) (the first is `<s>`) and a state to logits (1, V), weights (1, S) and the next state
    (`next_state_4` for `state_4`); what the decoder does not return belongs to the sentence and stays.
    A `UserError` if ONNX is not installed, the model cannot be written, or `target` is not empty.
    """
    run = _loaded(run_path, target, "onnxscript", IN_ONNX)
    for parameter in run.model.parameters():
        parameter.requires_grad_(False)
    encoder, length = _Encoder(run.model), torch.export.Dim.DYNAMIC
    source = torch.tensor([[UNK, UNK, EOS]])
    leaves, form = tree_flatten(encoder.state(source))
    longer, _ = tree_flatten(encoder.state(torch.tensor([[UNK, UNK, UNK, EOS]])))
    shapes = [
        None if one is None else {i: length for i in range(one.dim()) if one.shape[i] != two.shape[i]}
        for one, two in zip(leaves, longer, strict=True)
    ]
    names = [f"state_{i}" for i, leaf in enumerate(leaves) if leaf is not None]
    following = [f"next_{name}" for name in names[-len(_tensors(encoder.state(source)[1])) :]]
    results = ["logits", "weights", *following]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own, about torch
        _write_onnx(encoder, (source,), ({1: length},), ["source"], names, target / "encoder.onnx")
        inputs = (torch.tensor([UNK]), leaves)
        _write_onnx(_Decoder(run.model, form), inputs, (None, shapes), ["token", *names], results, target / "decoder.onnx")


def _loaded(run_path: Path, target: Path, package: str, held: Mapping[str, tuple[Any, ...]]) -> TrainedRun:
    """Load a run that can be written, and make the target with its tokenizers."""
    if find_spec(package) is None:
        raise UserError(f"this export needs {package}: pip install 'seq2seq[export]'")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UserError(f"{target}: already there; give a folder that is empty or does not exist")
    folder = RunFolder(local_path(run_path))
    check_held(run_path, read_settings(folder).model_dump(mode="json"), held)
    run = load_run(folder, torch.device("cpu"))
    write_tokenizers(target, run.source_tokenizer, run.target_tokenizer)
    return run


def check_held(path: Path, settings: Mapping[str, Any], held: Mapping[str, tuple[Any, ...]]) -> None:
    """Check that a format has every formula of a run; a `UserError` names the first setting that it has not."""
    flat = flatten(settings)
    if held is IN_CTRANSLATE2:
        held = {**held, "model.attention.heads": (flat.get("model.decoder.self_attention.heads"),)}
    for name, values in held.items():
        if (value := flat.get(name)) not in values:
            raise UserError(
                f"{path}: cannot be exported with {name}: {value}, only with {' or '.join(map(str, values))}. ctranslate2 "
                "takes encoder-decoder Transformers with sinusoidal or learned positions and scaled softmax attention, onnx "
                "recurrent models with softmax attention or a fixed context"
            )


class _Encoder(nn.Module):
    """From a sentence without padding to the decoder's first state."""

    def __init__(self, model: Model) -> None:
        super().__init__()
        self.model = model

    def state(self, source: Tensor) -> tuple[Any, Any]:
        """State of the sentence, and of the hypothesis."""
        encoder: Any = self.model.encoder
        states, last = embed(encoder.embedding, source), torch.empty(0)
        for layer in encoder.layers:
            states, last = layer.rnn(states)
        summary = (last[0] if encoder.layers[-1].is_lstm else last).transpose(0, 1).flatten(1)
        state = self.model.start(Memory(states, torch.ones_like(source, dtype=torch.bool), summary))
        return state.sentence, state.hypothesis

    def forward(self, source: Tensor) -> tuple[Tensor, ...]:
        return tuple(_tensors(self.state(source)))


class _Decoder(nn.Module):
    """One step, from and to the tensors of a state."""

    def __init__(self, model: Model, form: TreeSpec) -> None:
        super().__init__()
        self.model, self.form = model, form

    def forward(self, token: Tensor, leaves: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        sentence, hypothesis = tree_unflatten(leaves, self.form)
        output = self.model.step(token, State(sentence, hypothesis, 0), need_weights=True)
        return (output.logits, output.weights, *_tensors(output.state.hypothesis))


def _tensors(state: Any) -> list[Tensor]:
    return [leaf for leaf in tree_flatten(state)[0] if leaf is not None]


def _write_onnx(part: nn.Module, inputs: Any, shapes: Any, names: list[str], results: list[str], path: Path) -> None:
    torch.onnx.export(
        part.eval(), inputs, path, dynamo=True, dynamic_shapes=shapes, input_names=names, output_names=results, verbose=False
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
        vectors: Tensor = positions(torch.arange(positions.max_positions if positions.limited_by else _POSITIONS))
    return vectors


def _layer(theirs: Any, ours: EncoderLayer) -> None:
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
    """Weights of query, key, value and output; gates, which scale the heads, go into the last."""
    linears: list[Any] = [attention.query_proj, attention.key_proj, attention.value_proj, attention.output_proj]
    query, key, value, output = (linear.weight.detach() for linear in linears)
    if attention.gates is not None:
        output = output * attention.gates.open().repeat_interleave(output.shape[1] // attention.heads)
    return [query, key, value, output]


def _norm(theirs: Any, ours: Any) -> None:
    theirs.gamma, theirs.beta = ours.weight, ours.bias


def _pieces(tokenizer: Tokenizer) -> list[str]:
    return tokenizer.pieces(range(tokenizer.vocabulary_size))
