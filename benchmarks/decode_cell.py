"""Decoding, measured, in a process of its own: `python -m benchmarks.decode_cell A2 ...`.

Beam 5, batches of 64 sentences, every translation exactly 16 pieces long, so that the work does not depend on what an untrained
model happens to say.
"""

import argparse
import json
import sys
import time

import numpy as np
import torch

from benchmarks.corpus import prepared
from benchmarks.memory import peak_memory
from benchmarks.systems import MODELS
from seq2seq.config.model import EncoderDecoderSettings
from seq2seq.config.training import SearchSettings
from seq2seq.corpus.batching import collate
from seq2seq.corpus.tokenizer import EOS
from seq2seq.models import search as searching
from seq2seq.models.build import build_model
from seq2seq.run.decision import evaluation_device

LENGTH, BATCH, SENTENCES = 16, 64, 1000


def main() -> None:
    """Print one line of JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("model", choices=["A1", "A2"])
    parser.add_argument("--corpus", default="multi30k")
    parser.add_argument("--beam", type=int, default=5)
    arguments = parser.parse_args()
    evaluation_device()
    torch.manual_seed(1)
    data = prepared(arguments.corpus)
    split = next(iter(data.tests.values()))
    settings = EncoderDecoderSettings.model_validate({**MODELS[arguments.model], "tie": "none"})  # a bias of its own for EOS
    pieces = data.target_tokenizer.vocabulary_size
    model = build_model(settings, source_vocabulary=data.source_tokenizer.vocabulary_size, target_vocabulary=pieces).eval()
    with torch.no_grad():
        model.output.bias[EOS] = -1e4
    searching.length_limits = lambda mask, *_: torch.full((len(mask),), LENGTH - 1)  # type: ignore[assignment]
    order = np.argsort(-split.source_lengths, kind="stable")[:SENTENCES]
    batches = [collate(split, order[i : i + BATCH]) for i in range(0, len(order), BATCH)]
    rates = []
    for chosen in (batches[:2], batches, batches):  # the first warms up
        began = time.perf_counter()
        for batch in chosen:
            searching.search_n_best(model, batch.source, batch.source_mask, SearchSettings(beam=arguments.beam))
        rates.append(sum(len(batch.source) for batch in chosen) / (time.perf_counter() - began))
    figures = {"sentences_per_second": max(rates[1:]), "pieces_per_sentence": LENGTH, "memory_mib": peak_memory()}
    sys.stdout.write("\n" + json.dumps(figures) + "\n")


if __name__ == "__main__":
    main()
