"""What all tests share: the long ones only run when asked for, and computation is repeatable."""

import os

import pytest
import torch
from hypothesis import settings

from seq2seq.run import arithmetic
from tests.faults.table import TABLE


def pytest_addoption(parser):
    parser.addoption("--slow", action="store_true", help="run the long tests as well")


def pytest_configure(config):
    """Hypothesis tries as many examples as it always does where time is no matter; a busy machine is no failure."""
    settings.register_profile("fast", deadline=None, max_examples=30)
    settings.register_profile("slow", deadline=None)
    settings.load_profile("slow" if config.getoption("--slow") else "fast")


def pytest_collection_modifyitems(config, items):
    for item in items:
        if "slow" in item.keywords and not config.getoption("--slow"):
            item.add_marker(pytest.mark.skip(reason="long; run with --slow"))
        if "gpu" in item.keywords and not torch.cuda.is_available():
            item.add_marker(pytest.mark.skip(reason="needs an accelerator"))


torch.set_num_threads(1)  # tests are tiny, run side by side, and two threads on a busy core are slower than one


arithmetic._SECONDS = 0.0  # the fewest batches decide: what is fastest matters to no test, and each would time it for so long


os.fsync = os.fstat  # the handle has to be open; no test cuts the power, and the disk would be waited for thousands of times


@pytest.fixture
def no_figures(monkeypatch):
    """A report without figures and with an empty page, for tests of what else a command does; tests/report draws and fills them."""
    monkeypatch.setattr("seq2seq.report.write.report_figures", lambda *_: [])
    monkeypatch.setattr("seq2seq.report.write.page", lambda *_: "")


@pytest.fixture(autouse=True)
def _repeatable():
    torch.manual_seed(0)


@pytest.fixture(scope="session", autouse=True)
def _table_of_faults():
    """What was tried is counted, and printed by `python -m tests.faults.table`."""
    yield
    if TABLE:
        TABLE.write()
