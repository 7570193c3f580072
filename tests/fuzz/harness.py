"""Bad input by the thousand: each case may be refused in one clear line, and nothing else may happen."""

import time

from hypothesis import HealthCheck, given, settings

from seq2seq.config.errors import RunError, UserError
from seq2seq.run.checkpoint import DamagedError
from tests.faults.table import TABLE

SECONDS = 10
REFUSALS = (UserError, RunError, DamagedError)


def fuzz(name, strategy, body, cases):
    """Try `body` on so many values; a refusal is fine, any other exception is not, nor are ten seconds of computing."""

    @settings(
        max_examples=cases,
        deadline=None,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def go(value):
        began = time.process_time()  # a busy machine is no failure
        with TABLE.trying(f"fuzz: {name}"):
            attempt(body, value)
            assert time.process_time() - began < SECONDS

    go()


def attempt(body, value):
    """Call `body`; what it refuses has to be one line that a person can read."""
    try:
        body(value)
    except REFUSALS as error:
        message = str(error)
        assert message.strip()
        assert "Traceback" not in message
        assert len(message) < 5000
