"""Untrained runs on a small embedded corpus: enough to measure, quick to make."""

import pytest
import torch

from seq2seq.config.study import RunSettings
from seq2seq.corpus.prepare import prepare
from seq2seq.models.build import build_model
from seq2seq.run.folder import RunFolder, write_json
from seq2seq.run.trained import TrainedRun

STACK = {"kind": "transformer", "hidden_size": 16, "layers": 2, "feedforward_size": 24, "self_attention": {"heads": 2}}
MODELS = {
    "additive": {"attention": {"score": "additive"}},
    "before": {"attention": {"score": "bilinear"}, "decoder": {"placement": "before"}},
    "none": {"attention": {"score": "none"}},
    "transformer": {"encoder": STACK, "decoder": STACK, "attention": {"score": "scaled", "heads": 2}},
    "decoder_only": {**{k: v for k, v in STACK.items() if k != "kind"}, "architecture": "decoder_only"},
}
DATA = {"corpus": "grammar", "grammar": {"train_pairs": 200, "valid_pairs": 20, "test_pairs": 24, "max_words": 12}}
TOKENIZER = {"vocabulary_size": 500}


def settings_of(name):
    model = dict(MODELS[name])
    if model.get("architecture") != "decoder_only":
        for part, size in (("encoder", 8), ("decoder", 16)):
            if model.get(part, {}).get("kind") != "transformer":
                model[part] = {"hidden_size": size, "embedding_size": 12, **model.get(part, {})}
    return RunSettings.model_validate(
        {"data": DATA, "tokenizer": TOKENIZER, "model": model, "search": {"beam": 2, "max_ratio": 0.5}}
    )


@pytest.fixture(scope="session")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="session")
def data(cache):
    settings = settings_of("none")
    return prepare(settings.data, settings.tokenizer, report=lambda _: None, cache=cache)


def build_run(name, folder, data, seed=1):
    torch.manual_seed(seed)
    place = RunFolder(folder / name / f"seed-{seed}")
    settings = settings_of(name)
    size = data.source_tokenizer.vocabulary_size
    model = build_model(settings.model, source_vocabulary=size, target_vocabulary=size).eval()
    write_json(place.summary, {"status": "finished", "tokens_per_second": 1234.0, "parameters": 5})
    return TrainedRun(
        folder=place,
        settings=settings,
        model=model,
        source_tokenizer=data.source_tokenizer,
        target_tokenizer=data.target_tokenizer,
        step=7,
    )


@pytest.fixture(scope="session")
def make_run_in(data):
    """As `make_run`, with a folder of one's own."""
    return lambda name, folder, seed=1: build_run(name, folder, data, seed)


@pytest.fixture
def make_run(data, tmp_path):
    return lambda name, seed=1: build_run(name, tmp_path, data, seed)
