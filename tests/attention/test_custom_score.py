"""A score of somebody else's, in a package outside the repository."""

import importlib
import sys

import pytest
import torch

from seq2seq.attention.custom import load_score
from seq2seq.attention.scores import ProductScore
from seq2seq.config.errors import UserError
from tests.attention.conftest import MEMORY, QUERY, build, draw

SOURCE_CODE = '''
"""Somebody's scores."""
import torch
from torch import nn
from seq2seq.attention.scores import DotScore, Score
from seq2seq.attention.heads import HeadLinear


class DistanceScore(Score):
    """Minus the squared distance of q and W k."""

    formula = "-|q - W k|^2 / 2"
    source = "a test"
    expects = "nothing"

    def __init__(self, *, heads, query_size, memory_size, attention_size, sharpness=1.0):
        super().__init__(heads=heads, query_size=query_size, memory_size=memory_size, attention_size=attention_size)
        self.key_proj = HeadLinear(heads=heads, in_features=memory_size, out_features=query_size)
        self.sharpness = sharpness

    def project_keys(self, memory):
        return self.key_proj(memory)

    def forward(self, query, keys):
        return -self.sharpness * (query.unsqueeze(3) - keys.unsqueeze(2)).square().sum(-1) / 2


class Flat(DistanceScore):
    def forward(self, query, keys):
        return keys.sum(-1)


class Bare(Score):
    def forward(self, query, keys):
        return -torch.cdist(query, keys)


class Equal(Bare):
    equal_sizes = True


class Slip(Equal):
    def forward(self, query, keys):
        return torch.cdits(query, keys)


class NegativeDot(DotScore):
    def forward(self, query, keys):
        return -super().forward(query, keys)


class Tired(DistanceScore):
    reads_past = True

    def forward(self, query, keys, past=None):
        scores = super().forward(query, keys)
        return scores if past is None else scores - 100 * past.total


NOT_A_SCORE = nn.Linear
'''


@pytest.fixture(autouse=True)
def _package(tmp_path, monkeypatch):
    package = tmp_path / "others_scores"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "distance.py").write_text(SOURCE_CODE)
    (package / "needy.py").write_text("import no_such_library_here\n")
    monkeypatch.syspath_prepend(tmp_path)
    importlib.invalidate_caches()
    yield
    for name in [name for name in sys.modules if name.startswith("others_scores")]:
        del sys.modules[name]


@pytest.mark.parametrize("heads", [1, 3])
def test_it_is_built_from_its_name(heads):
    attention = build({"score": "others_scores.distance:DistanceScore", "heads": heads, "attention_size": 69})
    query, memory, mask, _ = draw()
    output = attention(query, attention.project_keys(memory, mask))
    assert output.weights.shape[1] == heads
    torch.testing.assert_close(output.weights.sum(-1), torch.ones_like(output.weights.sum(-1)))
    assert type(attention.score).__module__ == "others_scores.distance"


def test_options_and_membership():
    custom = {"kind": "custom", "path": "others_scores.distance:DistanceScore", "options": {"sharpness": 3.0}}
    assert build({"score": custom}).score.sharpness == 3.0
    gated = build({"score": {"kind": "gated", "members": ["additive", custom]}})
    assert [type(member).__name__ for member in gated.score.members] == ["AdditiveScore", "DistanceScore"]


def test_it_may_read_what_was_attended_to():
    attention = build({"score": "others_scores.distance:Tired"})
    query, memory, mask, _ = draw()
    keys = attention.project_keys(memory, mask)
    first = attention(query, keys)
    second = attention(query, keys, past=first.past)
    favourite = first.weights.argmax(dim=-1, keepdim=True)
    assert (second.weights.gather(-1, favourite) < first.weights.gather(-1, favourite)).all()
    with pytest.raises(UserError, match=r"score: Tired reads the weights of the step before, and a Transformer"):
        build({"score": "others_scores.distance:Tired"}, projected=True)


def test_its_own_formula_is_kept_where_the_fused_kernel_would_have_another():
    attention = build({"score": "others_scores.distance:NegativeDot"})
    assert isinstance(attention.score, ProductScore)
    query, memory, mask, _ = draw()
    keys = attention.project_keys(memory, mask)
    plain, fused = (attention(query, keys, need_weights=need).context for need in (True, False))
    torch.testing.assert_close(fused, plain)
    opposite = build({"score": "dot"})
    opposite.query_proj.weight.data.copy_(-attention.query_proj.weight)
    torch.testing.assert_close(plain, opposite(query, keys).context)


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("no_such_package:Score", "there is no module 'no_such_package'; put the folder that holds it on PYTHONPATH"),
        ("no_such_package.py:Score", "a module is named without .py"),
        ("others_scores.missing:Score", "there is no module 'others_scores.missing'"),
        ("others_scores.needy:Score", "importing 'others_scores.needy' fails: No module named 'no_such_library_here'; install"),
        ("others_scores.distance:Missing", "module 'others_scores.distance' has no 'Missing'; check the name"),
        ("others_scores.distance:NOT_A_SCORE", "'NOT_A_SCORE' is not a score; derive it from seq2seq.attention.scores.Score"),
        ("others_scores.distance:torch", "'torch' is not a score"),
    ],
)
def test_mistakes_in_the_name(path, message):
    with pytest.raises(UserError, match=f"model.attention.score: {path}: .*{message}"):
        load_score(path)


def test_a_slip_in_the_module(tmp_path, monkeypatch):
    (tmp_path / "slip.py").write_text("import torch\nclass Mine(torch.nn.Module)\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(UserError, match=r"score: slip:Mine: .*slip\.py, line 2: expected ':'; mend the module"):
        load_score("slip:Mine")


def test_mistakes_in_the_class():
    with pytest.raises(UserError, match=r"cannot be made with options \{'blunt': 1\}: .*blunt"):
        build({"score": {"kind": "custom", "path": "others_scores.distance:DistanceScore", "options": {"blunt": 1}}})
    with pytest.raises(
        UserError, match=r"shape \(2, 1, 5\) for 2 sentences, 1 head, .*must return \(B, H, Q, S\), here \(2, 1, 3, 5\)"
    ):
        build({"score": "others_scores.distance:Flat"})
    with pytest.raises(
        UserError, match=f"Bare fails on queries of {QUERY} and keys of {MEMORY} features .*: .*equal_sizes = True"
    ):
        build({"score": "others_scores.distance:Bare"})
    build({"score": "others_scores.distance:Equal"})
    with pytest.raises(UserError, match=r"features \(.*distance\.py, line \d+\): module 'torch' has no attribute 'cdits'$"):
        build({"score": "others_scores.distance:Slip"})


def test_a_slip_in_a_notebook(monkeypatch):
    build({"score": "others_scores.distance:Equal"})
    monkeypatch.delattr(sys.modules["others_scores.distance"], "__file__")  # what is typed in has no file
    with pytest.raises(UserError, match=r"features: module 'torch' has no attribute 'cdits'$"):
        build({"score": "others_scores.distance:Slip"})
