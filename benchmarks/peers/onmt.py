"""OpenNMT-py 3: its own commands, with the configuration of A1 and A2."""

from argparse import Namespace
from pathlib import Path
from typing import Any

import torch

from benchmarks.memory import peak_memory
from benchmarks.peers.job import Clock, Job, Saw, call_before, lengths, run_command

_PAD = 1
_NEVER = 10**6
_MODELS: dict[str, dict[str, object]] = {
    "A1": {
        "encoder_type": "brnn",
        "decoder_type": "rnn",
        "rnn_type": "GRU",
        "layers": 1,
        "hidden_size": 256,
        "word_vec_size": 256,
        "global_attention": "mlp",
        "input_feed": 1,
        "learning_rate": 0.001,
    },
    "A2": {
        "encoder_type": "transformer",
        "decoder_type": "transformer",
        "layers": 3,
        "heads": 4,
        "hidden_size": 256,
        "word_vec_size": 256,
        "transformer_ff": 1024,
        "position_encoding": True,
        "share_embeddings": True,
        "share_decoder_embeddings": True,
        "param_init_glorot": True,
        "learning_rate": 0.001,
    },
}


def train(job: Job, saw: Saw) -> None:
    """Train as `onmt_train` does."""
    from onmt.bin import train as command
    from onmt.models.model import NMTModel

    def look(model: Any, source: Any, target: Any, *_: Any, **__: Any) -> None:
        if model.training:
            saw(_ids(source) != _PAD, _ids(target)[:, 1:] != _PAD)

    call_before(NMTModel, "forward", look)
    config = job.write_config(_config(job))
    run_command(command.main, "onmt_train", "-config", config)


def _ids(tokens: Any) -> Any:
    return tokens[:, :, 0] if tokens.dim() == 3 else tokens


def _config(job: Job) -> dict[str, Any]:
    corpus = {
        name: {"path_src": str(job.pieces / f"{split}.de"), "path_tgt": str(job.pieces / f"{split}.en")}
        for name, split in (("corpus", "train"), ("valid", "valid"))
    }
    counts = str(job.pieces / "counts.tsv")
    size = len(Path(counts).read_text(encoding="utf-8").split("\n")) - 1
    return {
        "data": corpus,
        "src_vocab": counts,
        "tgt_vocab": counts,
        "share_vocab": True,
        "src_vocab_size": size,
        "tgt_vocab_size": size,
        "vocab_size_multiple": 1,
        "save_model": str(job.place),
        "train_steps": job.updates,
        "save_checkpoint_steps": min(job.updates, _NEVER),
        "valid_steps": _NEVER,
        "report_every": 50,
        "batch_type": "tokens",
        "batch_size": job.batch_tokens,
        "bucket_size": 30000,
        "normalization": "tokens",
        "num_workers": 0,
        "optim": "adam",
        "adam_beta2": 0.98,
        "max_grad_norm": 1.0,
        "dropout": [0.1],
        "attention_dropout": [0.1],
        "label_smoothing": 0.1,
        "seed": 1,
        **_MODELS[job.model],
    }


def prepare(job: Job) -> None:
    """Save a hardly trained model to decode with, and the Transformer for CTranslate2 as well."""
    train(job, lambda *_: None)
    if job.model == "A2":
        _convert(job)


def _saved(job: Job) -> Path:
    return max(job.work.glob(f"{job.place.name}_step_*.pt"), key=lambda path: path.stat().st_mtime)


def _let_options_load() -> None:
    """A checkpoint holds its options as argparse gave them, which torch.load refuses unless told."""
    torch.serialization.add_safe_globals([Namespace])


def _convert(job: Job) -> None:
    from ctranslate2.converters import OpenNMTPyConverter

    _let_options_load()
    checkpoint = torch.load(_saved(job), map_location="cpu")
    if checkpoint["opt"].self_attn_type == "scaled-dot-flash":
        checkpoint["opt"].self_attn_type = "scaled-dot"  # the same sums, under the only name that the converter knows
    path = job.place.with_suffix(".convert.pt")
    torch.save(checkpoint, path)
    OpenNMTPyConverter(str(path)).convert(str(job.work / f"{job.place.name}-ct2"), force=True)


def decode(job: Job, file: str) -> dict[str, Any]:
    """Translate as `onmt_translate` does; the time is that of its engine, without loading."""
    from onmt.bin import translate as command
    from onmt.inference_engine import InferenceEngine

    _let_options_load()
    clock, output = Clock(InferenceEngine, "infer_file"), job.place.with_suffix(".hyp")
    options = ["-model", _saved(job), "-src", job.pieces / file, "-output", output, "-gpu", -1, "-length_penalty", "avg"]
    options += ["-beam_size", job.beam, "-batch_size", job.batch, "-batch_type", "sents"]
    run_command(command.main, "onmt_translate", *options, "-min_length", job.length, "-max_length", job.length)
    found = lengths(output)
    return {
        "sentences_per_second": len(found) / clock.seconds,
        "pieces_per_sentence": sum(found) / len(found),
        "memory_mib": peak_memory(),
    }
