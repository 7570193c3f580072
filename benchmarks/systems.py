"""What is measured: two models on real text and three of the demo's size, and how many operations a token costs."""

from dataclasses import dataclass
from typing import Any

EMBEDDING, HIDDEN, FEEDFORWARD, LAYERS, DROPOUT = 256, 256, 1024, 3, 0.1
BATCH_TOKENS = 4096
VOCABULARIES = {"multi30k": 8000, "grammar": 2000}
"""Pieces by corpus; the embedded one has too few words for more."""

A1: dict[str, Any] = {
    "encoder": {
        "kind": "rnn",
        "cell": "gru",
        "hidden_size": HIDDEN // 2,
        "embedding_size": EMBEDDING,
        "bidirectional": True,
        "dropout": DROPOUT,
    },
    "decoder": {
        "kind": "rnn",
        "cell": "gru",
        "hidden_size": HIDDEN,
        "embedding_size": EMBEDDING,
        "placement": "after",
        "input_feeding": True,
        "dropout": DROPOUT,
    },
    "attention": {"score": "additive"},
}
"""Bidirectional GRU of 2 x 128, GRU of 256 with input feeding, additive attention."""


def transformer(hidden: int, heads: int, feedforward: int, layers: int) -> dict[str, Any]:
    """A pre-norm Transformer with one embedding for everything, dropout everywhere, on attention weights too."""
    stack = {
        "kind": "transformer",
        "hidden_size": hidden,
        "feedforward_size": feedforward,
        "layers": layers,
        "self_attention": {"heads": heads, "dropout": DROPOUT},
        "dropout": DROPOUT,
    }
    attention = {"score": "scaled", "heads": heads, "dropout": DROPOUT}
    return {"encoder": stack, "decoder": stack, "attention": attention, "tie": "all"}


A2 = transformer(HIDDEN, 4, FEEDFORWARD, LAYERS)
"""Transformer of 256 features, 4 heads, 1,024 inside, 3 + 3 layers."""

_SMALL_RNN = {
    "encoder": {"kind": "rnn", "cell": "gru", "hidden_size": 96, "embedding_size": 128, "dropout": 0.0},
    "decoder": {"kind": "rnn", "cell": "gru", "hidden_size": 192, "embedding_size": 128, "dropout": 0.0, "placement": "before"},
    "tie": "all",
}
_SMALL_STACK = {"kind": "transformer", "hidden_size": 128, "layers": 2, "feedforward_size": 256, "dropout": 0.0}
SMALL: dict[str, dict[str, Any]] = {
    "small none": _SMALL_RNN | {"attention": {"score": "none"}},
    "small additive": _SMALL_RNN | {"attention": {"score": "additive"}},
    "small transformer": {
        "encoder": _SMALL_STACK,
        "decoder": _SMALL_STACK,
        "attention": {"score": "scaled", "heads": 4},
        "tie": "all",
    },
}
"""The demo's size, with its corpus and batch."""
SMALL_BATCH_TOKENS, SMALL_VOCABULARY = 640, 1250
_SMALL_DATA = {
    "corpus": "grammar",
    "source": "en",
    "target": "de",
    "grammar": {
        "train_pairs": 12000,
        "valid_pairs": 84,
        "test_pairs": 840,
        "entries": 2,
        "min_words": 4,
        "max_words": 45,
        "balance": "words",
    },
}
MODELS = {"A1": A1, "A2": A2, **SMALL}


def data_settings(corpus: str, model: str = "") -> dict[str, Any]:
    """German to English, Multi30k names its test splits by year; or the demo's corpus for a model of its size."""
    if model in SMALL:
        return _SMALL_DATA
    tests = {"test": ["test_2016_flickr"]} if corpus == "multi30k" else {}
    return {"corpus": corpus, "source": "de", "target": "en", **tests}


def tokenizer_settings(corpus: str, model: str = "") -> dict[str, Any]:
    """Joint BPE; the demo's own for a model of its size."""
    if model in SMALL:
        return {"kind": "unigram", "vocabulary_size": SMALL_VOCABULARY}
    return {"kind": "bpe", "vocabulary_size": VOCABULARIES[corpus]}


def study(model: str, *, corpus: str, precision: str, steps: int) -> dict[str, Any]:
    """A study file that trains one model on `corpus`, 4,096 target tokens a batch, or on the demo's as the demo does."""
    far = 10**6
    batch = SMALL_BATCH_TOKENS if model in SMALL else BATCH_TOKENS
    training = {"max_steps": steps, "batch_tokens": batch, "precision": precision, "seeds": [1]}
    return {
        "question": "How fast?",
        "base": {
            "data": data_settings(corpus, model),
            "tokenizer": tokenizer_settings(corpus, model),
            "model": MODELS[model],
            "training": {**training, "validate_every": far, "save_every": far, "log_every": 50},
        },
        "systems": {model.replace(" ", "-"): {}},
    }


@dataclass(frozen=True)
class Sizes:
    """Of a model, as far as its products depend on them."""

    vocabulary: int
    hidden: int = HIDDEN
    feedforward: int = FEEDFORWARD
    layers: int = LAYERS


def training_flops(model: str, source: float, target: float, sizes: Sizes) -> float:
    """Operations of all matrix products for one sentence pair in training, three times those of the forward pass.

    A multiplication with its addition counts two. Padding, softmax, norms, activations and the optimiser count nothing.

    Args:
        model: "A1", or anything else for a Transformer.
        source: S, real source tokens, end included.
        target: T, predicted tokens, end included.
        sizes: features and layers.
    """
    return 3 * (_rnn if model == "A1" else _transformer)(source, target, sizes)


def _rnn(source: float, target: float, sizes: Sizes) -> float:
    size = sizes.hidden
    half, embedding = size // 2, size
    encoder = 2 * source * 2 * 3 * half * (embedding + half)  # two directions, three gates
    keys = 2 * source * size * size
    recurrence = 2 * target * 3 * size * (embedding + size + size)  # embedding, fed state, state
    query, scores, context = target * size * size, target * source * size, target * source * size
    readout = target * 2 * size * size
    return encoder + keys + recurrence + 2 * (query + scores + context + readout) + 2 * target * size * sizes.vocabulary


def _transformer(source: float, target: float, sizes: Sizes) -> float:
    size, inner = sizes.hidden, sizes.feedforward
    encoder = 2 * source * (4 * size * size + 2 * size * inner) + 4 * source * source * size
    own = 2 * target * (6 * size * size + 2 * size * inner) + 4 * target * target * size
    bridge = 2 * source * 2 * size * size + 4 * target * source * size
    return sizes.layers * (encoder + own + bridge) + 2 * target * size * sizes.vocabulary
