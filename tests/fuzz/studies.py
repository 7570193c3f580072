"""Studies drawn from the settings' own classes, and proof that what loading accepts can be built, trained and searched."""

import math
from typing import Annotated, Literal, get_args, get_origin

import numpy as np
import torch
from pydantic import BaseModel

from seq2seq.config.base import CHOICES, members, tags
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.model import DecoderOnlySettings, EncoderDecoderSettings
from seq2seq.config.training import SearchSettings, TrainingSettings
from seq2seq.corpus.batching import collate
from seq2seq.corpus.encoded import EncodedSplit, TokenArrays
from seq2seq.corpus.pairs import SentencePair
from seq2seq.models.budget import meta_model
from seq2seq.models.build import build_model
from seq2seq.run.arithmetic import Arithmetic
from seq2seq.run.machine import prepare_machine
from seq2seq.run.processes import Processes
from seq2seq.run.schedule import learning_rate
from seq2seq.run.sharding import share_out
from seq2seq.run.update import Updater
from tests.models.hypotheses import search

PIECES = 23
"""Vocabulary of the models that take a step."""
LENGTHS = (9, 1, 4)
"""Pieces of the sentences they take it on."""
INTEGERS = [1, 2, 3, 4, 4, 6, 8, 12]
FLOATS = [0.0, 0.1, 0.5, 1.0, 2.0, 1e-6, 1e-30, 3e38]
ODD = [0, -1, 2**40, 10**30, math.inf, math.nan, -0.5, None, "x", "none", True, [], {}, [1]]
"""Values that few settings take."""
LITTLE = {
    "layers": [1, 2],
    "heads": [1, 1, 2, 3, 4],
    "hidden_size": [4, 8, 12, 12, 24, 6, 5],
    "max_ratio": [0.1, 1.0, 2.0],
    "max_extra": [0, 1, 5],
    "beam": [1, 2, 3, 40],
    "learning_rate": [1e-30, 1e-3, 1.0],
    "weight_decay": [0.0, 0.0, 0.1],
    "betas": [[0.9, 0.98], [0.0, 0.0], [0.5, 0.999999], [0.9, 0.0], [0.9, 1.0]],
    "seeds": [[0], [1, 2], [2**63 - 1], [7], [2**63]],
    "edges": [[5], [5, 10], [10, 5]],
    "metrics": [["bleu", "chrf"], ["bleu", "chrf", "ter"], "bleu"],
    "dropout": [0.0, 0.1, 0.5],
    "epsilon": [1e-9, 1e-20, 1.0],
    "label_smoothing": [0.0, 0.1],
    "confidence": [0.9, 0.95],
    "resamples": [100],
    "minimum_bucket": [2, 100],
    "length_penalty": [0.0, 0.6, 10.0],
    "bottleneck_score": ["bleu", "chrf"],
    "temperature": [1e-4, 0.1, 1e4],
    "deviation": [0.0, 1e-300, 0.5, 2.0],
    "baseline": ["none", "a", "a", "b"],
    "max_source": [1, 9, 20],
    "max_positions": [4, 20],
    "max_length": [4, 20],
}
"""Values by the name of a setting, where any number would take long or few would be accepted."""
_ODDNESS = 0.005


def value(random, annotation):
    """A value such as a type takes."""
    origin, arguments = get_origin(annotation), get_args(annotation)
    if annotation in (bool, int, float):
        return random.choice({bool: [False, True], int: INTEGERS, float: FLOATS}[annotation])
    if found := list(members(annotation)):
        return part(random, random.choice(found))
    if origin is Annotated:
        return value(random, arguments[0])
    if origin is Literal:
        return random.choice(arguments)
    if origin is tuple:
        return [value(random, arguments[0]) for _ in range(random.randint(1, 3))]
    if arguments:  # a union with None
        return value(random, random.choice(arguments))
    return None if annotation is type(None) else random.choice(["x", "dot"])


def part(random, settings: type[BaseModel], share=0.3):
    """A mapping of some of a class's settings; a kind without options may be written as a word."""
    given = {}
    for name, field in settings.model_fields.items():
        if name in CHOICES:
            given[name] = random.choice(tags(settings))
        elif random.random() < _ODDNESS:
            given[name] = random.choice(ODD)
        elif field.is_required() or random.random() < share:
            little = LITTLE.get(name, ()) if get_origin(field.annotation) is not Literal else ()
            given[name] = random.choice(little) if little else value(random, field.annotation)
    return given["kind"] if list(given) == ["kind"] and random.random() < 0.5 else given


def study(random):
    """A study of one system."""
    model = part(random, random.choice([EncoderDecoderSettings] * 4 + [DecoderOnlySettings]), share=0.6)
    base = {
        "data": {"corpus": "grammar", "join": random.choice([None, {"separator": "source"}])},
        "tokenizer": {"vocabulary_size": 300, "joint": random.random() < 0.8},
        "model": model,
        "training": part(random, TrainingSettings, share=0.2),
        "search": part(random, SearchSettings),
    }
    header = {"jobs": random.choice([*[1, 2, "auto"] * 5, 0])} if random.random() < 0.2 else {}
    if random.random() < 0.3:
        header["evaluation"] = part(random, EvaluationSettings, share=0.15)
    return {**header, "base": base, "systems": {"a": None}}


def pairs():
    """A split of made-up pieces."""
    random = np.random.default_rng(1)
    sides = [TokenArrays.from_lists([random.integers(4, PIECES, n).tolist() for n in LENGTHS]) for _ in range(2)]
    return EncodedSplit(*sides, [SentencePair("a", "b")] * len(LENGTHS))


def take_a_step(settings):
    """Build a system on the meta device and for real, train it on one batch and translate one; everything stays finite."""
    assert meta_model(settings).output.out_features == settings.tokenizer.vocabulary_size
    training, split, processes = settings.training, pairs(), Processes()
    precision = "fp32" if training.precision == "auto" else training.precision
    arithmetic = Arithmetic(precision=precision, threads=torch.get_num_threads())
    machine = prepare_machine(arithmetic, deterministic=training.deterministic, device="cpu")
    torch.manual_seed(training.seeds[0])
    sharing = share_out(
        lambda: build_model(settings.model, source_vocabulary=PIECES, target_vocabulary=PIECES), training, processes
    )
    update = Updater(sharing=sharing, machine=machine, seed=training.seeds[0], train=split, say=print)
    batch = collate(split, np.arange(len(LENGTHS)))
    done = update(1, [batch], rate=learning_rate(1, training), stop=False, seconds=lambda: 1.0)
    assert done.not_finite is None
    assert all(bool(p.isfinite().all()) for p in sharing.model.parameters())
    for step in (1, max(1, training.warmup_steps), training.warmup_steps + 1, training.max_steps):
        assert 0 <= learning_rate(step, training) <= training.learning_rate * (1 + 1e-9)
    found = search(sharing.model.eval(), batch.source, batch.source_mask, settings.search, need_weights=True)
    assert len(found) == len(LENGTHS)
    assert all(math.isfinite(hypothesis.score) for hypothesis in found)
