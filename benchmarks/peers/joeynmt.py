"""JoeyNMT 2: its own command, with the configuration of A1 and A2."""

import runpy
from typing import Any

from benchmarks.peers.job import Job, Saw, call_before, run_command


def train(job: Job, saw: Saw) -> None:
    """Train as `python -m joeynmt train` does."""
    from joeynmt.model import Model

    def look(model: Any, return_type: str | None = None, **named: Any) -> None:
        if return_type == "loss" and model.training:
            saw(named["src_mask"].squeeze(1), named["trg_mask"].squeeze(1))

    call_before(Model, "forward", look)

    def main() -> None:
        runpy.run_module("joeynmt", run_name="__main__")

    run_command(main, "joeynmt", "train", job.write_config(_config(job)), "--skip-test")


def _config(job: Job) -> dict[str, Any]:
    def side(language: str) -> dict[str, Any]:
        return {
            "lang": language,
            "level": "word",  # pieces stand apart already
            "max_length": 250,
            "lowercase": False,
            "normalize": False,
            "voc_file": str(job.pieces / "pieces.txt"),
        }

    numbers = {"unk_id": 0, "pad_id": 1, "bos_id": 2, "eos_id": 3}
    tokens = {"unk_token": "<unk>", "pad_token": "<pad>", "bos_token": "<s>", "eos_token": "</s>"}
    return {
        "name": job.place.name,
        "model_dir": str(job.place),
        "use_cuda": False,
        "random_seed": 1,
        "data": {
            "train": str(job.pieces / "train"),
            "dev": str(job.pieces / "valid"),
            "dataset_type": "plain",
            "src": side("de"),
            "trg": side("en"),
            "special_symbols": numbers | tokens,
        },
        "testing": {"beam_size": job.beam, "batch_size": job.batch, "eval_metrics": ["bleu"]},
        "training": {
            "updates": job.updates,
            "epochs": 10**4,
            "batch_type": "token",
            "batch_size": job.batch_tokens,
            "normalization": "tokens",
            "optimizer": "adam",
            "adam_betas": [0.9, 0.98],
            "learning_rate": 0.001,
            "scheduling": "exponential",
            "decrease_factor": 1.0,
            "clip_grad_norm": 1.0,
            "label_smoothing": 0.1,
            "validation_freq": 10**6,
            "logging_freq": 50,
            "early_stopping_metric": "loss",
            "overwrite": True,
        },
        "model": _rnn() if job.model == "A1" else _transformer(),
    }


def _rnn() -> dict[str, Any]:
    embeddings = {"embedding_dim": 256}
    shared = {"type": "recurrent", "rnn_type": "gru", "num_layers": 1, "embeddings": embeddings, "dropout": 0.1}
    decoder = {"hidden_size": 256, "input_feeding": True, "attention": "bahdanau", "init_hidden": "bridge"}
    return {
        "tied_embeddings": False,
        "tied_softmax": False,
        "encoder": {**shared, "hidden_size": 128, "bidirectional": True},
        "decoder": {**shared, **decoder, "hidden_dropout": 0.1},
    }


def _transformer() -> dict[str, Any]:
    stack = {
        "type": "transformer",
        "num_layers": 3,
        "num_heads": 4,
        "hidden_size": 256,
        "ff_size": 1024,
        "dropout": 0.1,
        "layer_norm": "pre",
        "embeddings": {"embedding_dim": 256, "scale": True, "dropout": 0.1},
    }
    return {"tied_embeddings": True, "tied_softmax": True, "encoder": stack, "decoder": stack}
