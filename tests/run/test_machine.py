"""Deterministic mode: whatever the device, only kernels that repeat, and the same losses to the last bit."""

import torch

from seq2seq.config.loading import load_study
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
