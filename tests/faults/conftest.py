"""One small study for all faults, its corpus prepared once."""

import pytest

from tests.faults.child import Command
from tests.tiny import tiny_study, write_study

TRAINING = {
    "average_last": 2,
    "max_steps": 12,
    "save_every": 4,
    "validate_every": 5,
    "log_every": 3,
    "accumulate": 2,
    "patience": 9,
}


@pytest.fixture(scope="session")
def kept(tmp_path_factory):
    """A folder with the study, open to every user, the cache, and a run that nothing happened to."""
    folder = tmp_path_factory.mktemp("faults")
    few = {"train_pairs": 300, "valid_pairs": 10, "test_pairs": 10, "min_words": 4, "max_words": 12}
    write_study(folder, tiny_study(training=TRAINING, data={"grammar": few}))
    return folder


@pytest.fixture(scope="session")
def command(kept):
    """Makes a `Command` that writes to a folder of its own."""

    def make(name, **options):
        return Command(kept / "tiny.yaml", kept / name, kept / "cache", **options)

    return make


@pytest.fixture(scope="session")
def whole(command):
    """The result of a run that nothing happened to."""
    quiet = command("whole")
    status, output = quiet()
    assert status == 0, output
    return quiet.result()
