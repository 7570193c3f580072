"""eole, OpenNMT-py's successor: its own commands, with the configuration of A1 and A2."""

from typing import Any

from benchmarks.memory import peak_memory
from benchmarks.peers.job import Clock, Job, Saw, call_before, lengths, run_command

_NEVER = 10**6
_MODELS: dict[str, dict[str, Any]] = {
    "A1": {
        "architecture": "rnn",
        "layers": 1,
        "hidden_size": 256,
        "input_feed": 1,
        "embeddings": {"src_word_vec_size": 256, "tgt_word_vec_size": 256},
        "encoder": {"encoder_type": "brnn", "rnn_type": "GRU", "layers": 1, "hidden_size": 256},
        "decoder": {"decoder_type": "rnn", "rnn_type": "GRU", "layers": 1, "hidden_size": 256, "global_attention": "mlp"},
    },
    "A2": {
        "architecture": "transformer",
        "layers": 3,
        "hidden_size": 256,
        "heads": 4,
        "transformer_ff": 1024,
        "share_embeddings": True,
        "share_decoder_embeddings": True,
        "embeddings": {"word_vec_size": 256, "position_encoding_type": "SinusoidalInterleaved"},
    },
}


def train(job: Job, saw: Saw) -> None:
    """Train as `eole train` does."""
    from eole.bin import main as command
    from eole.models.model import EncoderDecoderModel

    def look(model: Any, source: Any, target: Any, *_: Any, **__: Any) -> None:
        if model.training:
            saw(source != model.src_pad_idx, target[:, 1:] != model.tgt_pad_idx)

    call_before(EncoderDecoderModel, "forward", look)
    run_command(command.main, "eole", "train", "-config", job.write_config(_config(job)))


def _config(job: Job) -> dict[str, Any]:
    counts = job.pieces / "counts.tsv"
    size = len(counts.read_text(encoding="utf-8").split("\n")) - 1
    corpus = {
        name: {"path_src": str(job.pieces / f"{split}.de"), "path_tgt": str(job.pieces / f"{split}.en")}
        for name, split in (("corpus", "train"), ("valid", "valid"))
    }
    training = {
        "model_path": str(job.place),
        "train_steps": job.updates,
        "save_checkpoint_steps": min(job.updates, _NEVER),
        "valid_steps": _NEVER,
        "batch_type": "tokens",
        "batch_size": job.batch_tokens,
        "batch_size_multiple": 1,
        "bucket_size": 30000,
        "normalization": "tokens",
        "num_workers": 0,
        "world_size": 0,
        "gpu_ranks": [],
        "compute_dtype": "fp32",
        "optim": "adam",
        "adam_beta2": 0.98,
        "learning_rate": 0.001,
        "max_grad_norm": 1.0,
        "dropout": [0.1],
        "attention_dropout": [0.1],
        "label_smoothing": 0.1,
        "param_init_method": "xavier_uniform",
    }
    vocabulary = {"src_vocab": str(counts), "tgt_vocab": str(counts), "share_vocab": True, "vocab_size_multiple": 1}
    return {
        "seed": 1,
        "overwrite": True,
        "report_every": 50,
        **vocabulary,
        "src_vocab_size": size,
        "tgt_vocab_size": size,
        "data": corpus,
        "training": training,
        "model": _MODELS[job.model],
    }


def prepare(job: Job) -> None:
    """Save a hardly trained model to decode with."""
    train(job, lambda *_: None)


def decode(job: Job, file: str) -> dict[str, Any]:
    """Translate as `eole predict` does; the time is that of its engine, without loading."""
    from eole.bin import main as command
    from eole.inference_engine import InferenceEngine

    clock, output = Clock(InferenceEngine, "infer_file"), job.place.with_suffix(".hyp")
    options = ["-model_path", job.place, "-src", job.pieces / file, "-output", output, "-world_size", 0]
    options += ["-beam_size", job.beam, "-batch_size", job.batch, "-batch_type", "sents", "-length_penalty", "avg"]
    limits = ["-min_length", job.length, "-max_length", job.length, "-compute_dtype", "fp32"]
    run_command(command.main, "eole", "predict", *options, *limits)
    found = lengths(output)
    return {
        "sentences_per_second": len(found) / clock.seconds,
        "pieces_per_sentence": sum(found) / len(found),
        "memory_mib": peak_memory(),
    }
