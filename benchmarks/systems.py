"""What is measured: two small models on one corpus, and how many operations a token of each costs."""

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

MODELS = {"A1": A1, "A2": A2}


def data_settings(corpus: str) -> dict[str, Any]:
    """German to English; Multi30k names its test splits by year."""
    tests = {"test": ["test_2016_flickr"]} if corpus == "multi30k" else {}
    return {"corpus": corpus, "source": "de", "target": "en", **tests}


def tokenizer_settings(corpus: str) -> dict[str, Any]:
    """Joint BPE."""
    return {"kind": "bpe", "vocabulary_size": VOCABULARIES[corpus]}


def study(model: str, *, corpus: str, precision: str, steps: int) -> dict[str, Any]:
    """A study file that trains one model on `corpus`, de-en, joint BPE, 4,096 target tokens a batch."""
    far = 10**6
    training = {"max_steps": steps, "batch_tokens": BATCH_TOKENS, "precision": precision, "seeds": [1]}
    return {
        "question": "How fast?",
        "base": {
            "data": data_settings(corpus),
            "tokenizer": tokenizer_settings(corpus),
            "model": MODELS[model],
            "training": {**training, "validate_every": far, "save_every": far, "log_every": 50},
        },
        "systems": {model: {}},
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
