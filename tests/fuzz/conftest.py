"""What was tried is counted and added to the table of faults."""

import pytest

from tests.faults.table import TABLE


@pytest.fixture(scope="session", autouse=True)
def _table():
    yield
    if TABLE:
        TABLE.write()
