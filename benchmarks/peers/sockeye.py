"""Sockeye 3: its own commands, with the configuration of A2."""

from typing import Any

from benchmarks.peers.job import Job, Saw, call_before, run_command

_PAD = 0
_LONGEST = 250


def prepare(job: Job) -> None:
    """Bring the corpus into Sockeye's form."""
    from sockeye import prepare_data

    names = job.pieces / "ids.json"
    options = ["-s", job.pieces / "train.de", "-t", job.pieces / "train.en", "-o", job.place.with_suffix(".data")]
    vocabularies = ["--shared-vocab", "--source-vocab", names, "--target-vocab", names]
    shards = ["--max-seq-len", _LONGEST, "--num-samples-per-shard", 10**6]
    run_command(prepare_data.main, "sockeye-prepare-data", *options, *vocabularies, *shards)


def train(job: Job, saw: Saw) -> None:
    """Train as `sockeye-train` does."""
    from sockeye import train as command
    from sockeye.training import EarlyStoppingTrainer

    def look(_: Any, batch: Any, *__: Any, **___: Any) -> None:
        saw(batch.source[:, :, 0] != _PAD, batch.labels["target_label"] != _PAD)

    call_before(EarlyStoppingTrainer, "_forward_backward", look)
    run_command(command.main, "sockeye-train", *(text for pair in _options(job).items() for text in pair if text != ""))


def _options(job: Job) -> dict[str, object]:
    """Options and values; "" for those without one."""
    return {
        "--prepared-data": job.place.with_suffix(".data"),
        "--validation-source": job.pieces / "valid.de",
        "--validation-target": job.pieces / "valid.en",
        "--output": job.place,
        "--overwrite-output": "",
        "--use-cpu": "",
        "--num-layers": 3,
        "--transformer-model-size": 256,
        "--transformer-attention-heads": 4,
        "--transformer-feed-forward-num-hidden": 1024,
        "--transformer-preprocess": "n",
        "--transformer-postprocess": "dr",
        "--weight-tying-type": "src_trg_softmax",
        "--max-seq-len": _LONGEST,
        "--batch-type": "max-word",
        "--batch-size": job.batch_tokens,
        "--batch-sentences-multiple-of": 1,
        "--optimizer": "adam",
        "--optimizer-betas": "0.9:0.98",
        "--initial-learning-rate": 0.001,
        "--gradient-clipping-type": "norm",
        "--gradient-clipping-threshold": 1,
        "--label-smoothing": 0.1,
        "--max-updates": job.updates,
        "--checkpoint-interval": job.updates,
        "--decode-and-evaluate": 0,
        "--seed": 1,
        "--quiet-secondary-workers": "",
    }
