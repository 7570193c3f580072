"""Untrained runs: enough for a page to have something to show."""

import torch

from seq2seq.config.study import RunSettings
from seq2seq.models.build import build_model
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import TrainedRun

LINES = ["the old man sees a house", "a small house is green", "she goes <b>home</b> again and again"] * 5
SIZE = 285


def make_run(tokenizer, folder, reverse=False, **attention):
    torch.manual_seed(0)
    model = {
        "encoder": {"hidden_size": 4, "embedding_size": 6},
        "decoder": {"hidden_size": 8, "embedding_size": 6},
        "attention": attention,
    }
    data = {"corpus": "grammar", "reverse_source": reverse}
    data |= {"join": {"separator": "source"}} if "normaliser" in attention else {}
    settings = RunSettings.model_validate({"data": data, "model": model, "search": {"beam": 2, "max_ratio": 0.5}})
    built = build_model(settings.model, source_vocabulary=SIZE, target_vocabulary=SIZE).eval()
    return TrainedRun(RunFolder(folder), settings, built, tokenizer, tokenizer, 1)
