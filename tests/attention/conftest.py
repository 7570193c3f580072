"""Every member of the family once as a named case, for the laws. All sizes are different primes."""

import pytest
import torch

from seq2seq.attention.build import build_attention
from seq2seq.attention.fixed import FIXED
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.attention import AttentionSettings

BATCH, QUERIES, SOURCE, QUERY, MEMORY, SUMMARY, HEADS = 2, 5, 7, 11, 13, 17, 3
CONTEXT = HEADS * 29
LENGTHS = torch.tensor([7, 4])

OPTIONS = {
    "location": {"max_source": 19},
    "concat_linear": {"max_source": 19},
    "gated": {"members": ["scaled", "additive", "mlp"]},
    "top_k": {"k": 3},
    "monotonic": {"noise": 0.0},
    "local_m": {"width": 2},
    "local_p": {"width": 2},
}


def part(kind):
    return {"kind": kind, **OPTIONS.get(kind, {})}


def cases():
    """Name -> settings, from the tables, so that a new line in a table is tested without a line here."""
    found = {kind: {"score": part(kind)} for kind in [*SCORES, *FIXED]}
    found |= {f"{kind}-heads": {"score": part(kind), "heads": HEADS, "attention_size": HEADS * 23} for kind in SCORES}
    found |= {f"scale-{kind}": {"score": "dot", "scale": kind} for kind in SCALES}
    for kind in NORMALISERS:
        found[f"normaliser-{kind}"] = {"score": "additive", "normaliser": part(kind)}
        found[f"normaliser-{kind}-heads"] = found[f"normaliser-{kind}"] | {"heads": HEADS, "attention_size": HEADS * 23}
    for kind in WINDOWS:
        found[f"window-{kind}"] = {"score": "bilinear", "window": part(kind)}
        found[f"window-{kind}-heads"] = found[f"window-{kind}"] | {"heads": HEADS, "attention_size": HEADS * 23}
    return found | {
        "bilinear-rank": {"score": {"kind": "bilinear", "rank": 3}},
        "additive-weight-norm": {"score": {"kind": "additive", "weight_norm": True}},
        "dot-attention-size": {"score": "dot", "attention_size": 23},
        "location-attention-size": {"score": part("location"), "attention_size": 23},
        "gated-location": {"score": {"kind": "gated", "members": ["dot", part("location")]}},
        "gated-coverage": {"score": {"kind": "gated", "members": ["dot", "coverage"]}},
        "coverage-monotonic": {"score": "coverage", "normaliser": part("monotonic")},
        "local_m-soft": {"score": "dot", "window": {"kind": "local_m", "width": 2, "edges": "soft", "gaussian": True}},
        "local_p-soft": {"score": "dot", "window": {"kind": "local_p", "width": 2, "edges": "soft"}},
        "diagonal-gaussian": {"score": {"kind": "diagonal", "deviation": 1.5}},
    }


CASES = cases()


def build(options, *, projected=False, context_size=None):
    settings = AttentionSettings(**options)
    made = build_attention(
        settings,
        query_size=QUERY if not projected else 23 * settings.heads,
        memory_size=MEMORY,
        summary_size=SUMMARY,
        projected=projected,
        context_size=context_size or (CONTEXT if settings.heads > 1 else None),
    )
    return made.double().eval()


def draw(queries=QUERIES, query_size=QUERY):
    """A query, a memory, its mask and a summary, in float64; the second row has padding full of numbers."""
    query = torch.randn(BATCH, queries, query_size, dtype=torch.float64)
    memory = torch.randn(BATCH, SOURCE, MEMORY, dtype=torch.float64)
    mask = torch.arange(SOURCE) < LENGTHS[:, None]
    return query, memory, mask, torch.randn(BATCH, SUMMARY, dtype=torch.float64)


@pytest.fixture(params=list(CASES))
def case(request):
    """The name of each case in turn."""
    return request.param


@pytest.fixture
def attention(case):
    """The attention of the case, float64, not training."""
    return build(CASES[case])
