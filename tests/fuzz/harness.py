"""Bad input by the thousand: each case may be refused in one clear line, and nothing else may happen."""

from hypothesis import HealthCheck, given, settings

from seq2seq.config.errors import RunError, UserError
from seq2seq.run.checkpoint import DamagedError
from tests.faults.table import TABLE

REFUSALS = (UserError, RunError, DamagedError)


def fuzz(name, strategy, body, cases):
    """Try `body` on so many values; a refusal is fine, any other exception is not, nor is more than ten seconds."""

    @settings(
        max_examples=cases,
        deadline=10_000,
        database=None,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    @given(strategy)
    def go(value):
        with TABLE.trying(f"fuzz: {name}"):
            attempt(body, value)

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
