"""Deterministic mode: whatever the device, only kernels that repeat, and the same losses to the last bit."""

import os

import torch

from seq2seq.config.loading import load_study
from seq2seq.run.machine import limit_primitives
from seq2seq.run.train import train_run
from tests.tiny import tiny_study, write_study


def test_deterministic_mode(tmp_path, monkeypatch):
    """On an accelerator where there is one; torch refuses a kernel that does not repeat, so this also says that none is used."""
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("CUBLAS_WORKSPACE_CONFIG", raising=False)
    study = load_study(write_study(tmp_path, tiny_study(training={"deterministic": True, "max_steps": 6})))
    logs = []
    try:
        for name in ("one", "two"):
            path = tmp_path / name / "additive" / "seed-1"
            train_run(study.systems["additive"], seed=1, path=path, arguments=[])
            logs.append((path / "log.jsonl").read_bytes())
        assert torch.are_deterministic_algorithms_enabled()
    finally:
        torch.use_deterministic_algorithms(False)
    assert logs[0] == logs[1]


def test_caches_of_compiled_products_are_limited_unless_somebody_has_chosen(monkeypatch):
    monkeypatch.delenv("LRU_CACHE_CAPACITY", raising=False)
    monkeypatch.setenv("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "7")
    limit_primitives()
    assert (os.environ["LRU_CACHE_CAPACITY"], os.environ["ONEDNN_PRIMITIVE_CACHE_CAPACITY"]) == ("64", "7")
