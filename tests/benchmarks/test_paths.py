import numpy as np
import pytest

from benchmarks import plain_path
from benchmarks.curves import PATHS, differences, draw, losses, smoothed, table
from tests.tiny import tiny_study

ADDITIVE = {"attention": {"score": "additive"}}
FEEDING = {"hidden_size": 16, "embedding_size": 12, "dropout": 0.1, "input_feeding": True}
STACK = {
    "kind": "transformer",
    "hidden_size": 16,
    "feedforward_size": 20,
    "layers": 1,
    "dropout": 0.1,
    "self_attention": {"heads": 2},
}
RNN = {"encoder": {"hidden_size": 8, "embedding_size": 12, "dropout": 0.1}, "decoder": FEEDING, **ADDITIVE}
TRANSFORMER = {"encoder": STACK, "decoder": STACK, "attention": {"score": "scaled", "heads": 2}}


@pytest.mark.parametrize("model", [RNN, TRANSFORMER], ids=["rnn", "transformer"])
def test_fast_and_plain_paths_learn_the_same(model, tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path))
    base = tiny_study(training={"precision": "fp32"})["base"] | {"model": model}
    calls, all_logits = [], plain_path._all_logits
    monkeypatch.setattr(plain_path, "_all_logits", lambda *parts: calls.append(1) or all_logits(*parts))
    plain, fast = (losses(base, path, 4) for path in PATHS[:2])
    assert len(calls) == 4  # the plain path was one; tiny matmuls may give the same bits in both
    np.testing.assert_allclose(fast, plain, atol=2e-4)


def test_differences_are_of_smoothed_curves(tmp_path):
    plain = [float(step) for step in range(40)]
    curves = {PATHS[0]: plain, PATHS[1]: [loss + 0.5 for loss in plain], PATHS[2]: plain}
    assert smoothed(plain)[0] == pytest.approx(9.5)  # mean of 0 ... 19
    first, second = differences(curves, "A1")
    assert "largest difference 0.5000, mean difference 0.5000 (signed +0.5000)" in first
    assert "largest difference 0.0000" in second
    assert table(curves).splitlines()[1] == "1,0.000000,0.500000,0.000000"
    draw(curves, "A1", tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 1000
