import sys

import pytest
import torch

from benchmarks import accelerator
from benchmarks.plain import PlainTransformer
from benchmarks.systems import Sizes, training_flops, transformer


def test_says_so_without_an_accelerator(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(sys, "argv", ["accelerator", "--out", str(tmp_path)])
    assert accelerator.main() == 0
    assert capsys.readouterr().out == "no accelerator here: nothing was measured\n"
    assert not list(tmp_path.iterdir())


def test_measures_a_tiny_model_on_a_cpu():
    system = accelerator.System(
        transformer(8, 2, 12, 1), Sizes(30, 8, 12, 1), batch_tokens=200, plain=lambda: PlainTransformer(30, 8, 12, 1)
    )
    before = torch.get_float32_matmul_precision()
    try:
        found = accelerator.measure(system, torch.device("cpu"), warm=1, steps=2, compiles="auto", pairs=60)
    finally:
        torch.set_float32_matmul_precision(before)
        found["plain"] = accelerator.measure_plain(system, torch.device("cpu"), warm=1, steps=2, pairs=60)
        found["sentences_per_second"] = accelerator.measure_search(system, torch.device("cpu"), sentences=20)
    assert min(found[name] for name in ("tokens_per_second", "plain", "sentences_per_second")) > 0
    assert not found["compiled"]
    assert accelerator.row("tiny", found, 1e-3).startswith("| tiny | ")
    assert accelerator.product_peak(torch.device("cpu"), size=16, repeats=2) > 0


def test_operations_of_one_layer_by_hand():
    """One layer of 2 features, 3 inside, 5 pieces; S = T = 1."""
    encoder = 2 * (4 * 4 + 2 * 2 * 3) + 4 * 2
    decoder = 2 * (6 * 4 + 2 * 2 * 3) + 4 * 2
    bridge = 2 * 2 * 4 + 4 * 2
    assert training_flops("A2", 1, 1, Sizes(5, 2, 3, 1)) == pytest.approx(3 * (encoder + decoder + bridge + 2 * 2 * 5))
