"""CTranslate2: a decoder in C++. Its model is OpenNMT-py's, converted there."""

import time
from typing import Any

import ctranslate2

from benchmarks.memory import peak_memory
from benchmarks.peers.job import Job


def decode(job: Job, file: str) -> dict[str, Any]:
    """Translate a file in float32, one batch at a time, all threads in it."""
    translator = ctranslate2.Translator(
        str(job.work / f"onmt-{job.model}-ct2"),
        device="cpu",
        compute_type="float32",
        inter_threads=1,
        intra_threads=job.threads,
    )
    lines = [line.split() for line in (job.pieces / file).read_text(encoding="utf-8").split("\n")[:-1]]
    options = {
        "beam_size": job.beam,
        "max_batch_size": job.batch,
        "min_decoding_length": job.length,
        "max_decoding_length": job.length,
    }
    translator.translate_batch(lines[: 2 * job.batch], **options)  # warms up
    began = time.perf_counter()
    results = translator.translate_batch(lines, **options)
    seconds = time.perf_counter() - began
    pieces = sum(len(result.hypotheses[0]) for result in results)
    return {
        "sentences_per_second": len(lines) / seconds,
        "pieces_per_sentence": pieces / len(lines),
        "memory_mib": peak_memory(),
    }
