"""Systems whose truth is known: BLEU counts drawn from a model with an effect of sentence, system x sentence, seed, seed x sentence."""

from dataclasses import dataclass

import numpy as np
import pytest

from seq2seq.scoring.evidence import SystemScores
from seq2seq.scoring.sentences import SentenceStatistics


@dataclass(frozen=True)
class World:
    """Standard deviations on the scale of the logit of an n-gram match; 0.1 there is about 2 BLEU.

    `seed` moves a whole run, `interaction` one sentence of all runs of one system, `noise` one sentence of one run.
    """

    sentences: int = 300
    quality: float = 1.0
    sentence: float = 0.6
    interaction: float = 0.3
    seed: float = 0.05
    noise: float = 0.3


def draw_systems(
    world: World, generator: np.random.Generator, *, seeds: tuple[int, ...] = (3, 3), advantage: float = 0.0
) -> tuple[list[SystemScores], np.ndarray]:
    """Systems "none", "other" ... on fresh sentences; every system after the first is better by `advantage`."""
    n = world.sentences
    lengths = generator.integers(5, 50, n)
    difficulty = generator.normal(0, world.sentence, n)
    systems = []
    for index, count in enumerate(seeds):
        own = difficulty + generator.normal(0, world.interaction, n)
        runs = []
        for _ in range(count):
            shift = world.quality + advantage * (index > 0) + generator.normal(0, world.seed)
            runs.append(draw_run(shift + own + generator.normal(0, world.noise, n), lengths, generator))
        name = "none" if index == 0 else f"other{index}"
        systems.append(SystemScores(name=name, seeds=tuple(range(1, count + 1)), statistics=tuple(runs)))
    return systems, lengths


def draw_run(logits: np.ndarray, lengths: np.ndarray, generator: np.random.Generator) -> SentenceStatistics:
    """(n,) logits of a match -> BLEU counts of a run with hypotheses as long as their references."""
    totals = np.maximum(lengths[:, None] - np.arange(4), 0)
    share = 1 / (1 + np.exp(-logits))
    matched = [generator.binomial(totals[:, 0], share)]
    for order in range(1, 4):
        possible = np.minimum(np.maximum(matched[-1] - 1, 0), totals[:, order])
        matched.append(generator.binomial(possible, share))
    bleu = np.concatenate([np.stack([lengths, lengths], 1), np.stack(matched, 1), totals], axis=1).astype(float)
    surface = np.zeros((len(lengths), 6))
    surface[:, 0] = 1
    return SentenceStatistics(counts={"bleu": bleu, "surface": surface}, signatures={"bleu": "simulated"})


@pytest.fixture
def world():
    return World


@pytest.fixture
def simulate():
    """Systems and lengths of a world: simulate(world, seed, seeds=(3, 3), advantage=0.0)."""
    return lambda world, seed, **options: draw_systems(world, np.random.default_rng([7, seed]), **options)
