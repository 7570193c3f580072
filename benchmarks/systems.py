"""What is measured: two small models on one corpus, and how many operations a token of each costs."""

from typing import Any

VOCABULARY, EMBEDDING, HIDDEN, FEEDFORWARD, LAYERS = 8000, 256, 256, 1024, 3

A1: dict[str, Any] = {
    "encoder": {"kind": "rnn", "cell": "gru", "hidden_size": HIDDEN // 2, "embedding_size": EMBEDDING, "bidirectional": True},
    "decoder": {
        "kind": "rnn",
        "cell": "gru",
        "hidden_size": HIDDEN,
        "embedding_size": EMBEDDING,
        "placement": "after",
        "input_feeding": True,
    },
    "attention": {"score": "additive"},
}
"""Bidirectional GRU of 2 x 128, GRU of 256 with input feeding, additive attention."""

_STACK = {
    "kind": "transformer",
    "hidden_size": HIDDEN,
    "feedforward_size": FEEDFORWARD,
    "layers": LAYERS,
    "self_attention": {"heads": 4},
}
A2: dict[str, Any] = {
    "encoder": _STACK,
    "decoder": _STACK,
    "attention": {"score": "scaled", "heads": 4},
    "tie": "all",
}
"""Transformer of 256 features, 4 heads, 1,024 inside, 3 + 3 layers, pre-norm, one embedding."""

MODELS = {"A1": A1, "A2": A2}


def data_settings(corpus: str) -> dict[str, Any]:
    """German to English; Multi30k names its test splits by year."""
    tests = {"test": ["test_2016_flickr"]} if corpus == "multi30k" else {}
    return {"corpus": corpus, "source": "de", "target": "en", **tests}


TOKENIZER = {"kind": "bpe", "vocabulary_size": VOCABULARY}


def study(model: str, *, corpus: str, precision: str, steps: int) -> dict[str, Any]:
    """A study file that trains one model on `corpus`, de-en, joint BPE of 8,000 pieces, 4,096 target tokens a batch."""
    far = 10**6
    training = {"max_steps": steps, "batch_tokens": 4096, "precision": precision, "seeds": [1]}
    return {
        "question": "How fast?",
        "base": {
            "data": data_settings(corpus),
            "tokenizer": TOKENIZER,
            "model": MODELS[model],
            "training": {**training, "validate_every": far, "save_every": far, "log_every": 50},
        },
        "systems": {model: {}},
    }


def training_flops(model: str, source: float, target: float) -> float:
    """Operations of all matrix products for one sentence pair in training, three times those of the forward pass.

    A multiplication with its addition counts two. Padding, softmax, norms, activations and the optimiser count nothing.

    Args:
        model: "A1" or "A2".
        source: S, real source tokens, end included.
        target: T, predicted tokens, end included.
    """
    return 3 * (_rnn(source, target) if model == "A1" else _transformer(source, target))


def _rnn(source: float, target: float) -> float:
    half, attention = HIDDEN // 2, HIDDEN
    encoder = 2 * source * 2 * 3 * half * (EMBEDDING + half)  # two directions, three gates
    keys = 2 * source * HIDDEN * attention
    recurrence = 2 * target * 3 * HIDDEN * (EMBEDDING + HIDDEN + HIDDEN)  # embedding, fed state, state
    query, scores, context = target * HIDDEN * attention, target * source * attention, target * source * HIDDEN
    readout = target * 2 * HIDDEN * HIDDEN
    return encoder + keys + recurrence + 2 * (query + scores + context + readout) + 2 * target * HIDDEN * VOCABULARY


def _transformer(source: float, target: float) -> float:
    size, inner = HIDDEN, FEEDFORWARD
    encoder = 2 * source * (4 * size * size + 2 * size * inner) + 4 * source * source * size
    own = 2 * target * (6 * size * size + 2 * size * inner) + 4 * target * target * size
    bridge = 2 * source * 2 * size * size + 4 * target * source * size
    return LAYERS * (encoder + own + bridge) + 2 * target * size * VOCABULARY
