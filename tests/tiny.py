"""A study small enough to train in a test: a few hundred short pairs of the embedded corpus, models of a few units."""

import copy

from ruamel.yaml import YAML

TINY = {
    "question": "Does it run?",
    "jobs": 1,
    "base": {
        "data": {
            "corpus": "grammar",
            "grammar": {"train_pairs": 300, "valid_pairs": 30, "test_pairs": 30, "min_words": 4, "max_words": 12},
        },
        "tokenizer": {"vocabulary_size": 600},
        "model": {
            "encoder": {"hidden_size": 8, "embedding_size": 12, "dropout": 0.1},
            "decoder": {"hidden_size": 16, "embedding_size": 12, "dropout": 0.1},
            "attention": {"score": "none"},
        },
        "training": {
            "max_steps": 12,
            "batch_tokens": 400,
            "validate_every": 5,
            "save_every": 4,
            "log_every": 3,
            "validation_bleu_sentences": 4,
        },
        "search": {"beam": 2, "max_ratio": 1.0},
    },
    "systems": {"none": {}, "additive": {"model": {"attention": {"score": "additive"}}}},
}


def tiny_study(**changes):
    """A copy of TINY; `training={"max_steps": 3}` changes base.training."""
    study = copy.deepcopy(TINY)
    for part, values in changes.items():
        study["base"].setdefault(part, {}).update(values)
    return study


def write_study(folder, study=None, name="tiny.yaml"):
    path = folder / name
    writer = YAML()
    with path.open("w", encoding="utf-8") as file:
        writer.dump(study or TINY, file)
    return path
