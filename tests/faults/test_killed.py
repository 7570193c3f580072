"""kill -9 at any moment, and the same command again: the same bits as from a run that nothing happened to."""

import random
from pathlib import Path

import pytest

from tests.faults.child import KilledAtEvent, moments, now
from tests.faults.table import TABLE


def same(command, whole, status, output):
    assert status == 0, output
    found = command.result()
    assert found.keys() == whole.keys()
    assert [name for name in whole if found[name] != whole[name]] == []


@pytest.fixture(scope="module")
def events(command, whole):
    """How often a whole run touches a file of its folder."""
    counted = command("counted")
    counted.out.mkdir()
    status, output = counted(fault=KilledAtEvent(str(counted.out / "additive")))
    assert status == 0, output
    return len(Path(f"{counted.out / 'additive'}.events").read_bytes())


def killed_at(command, whole, number, name):
    victim = command(name)
    with TABLE.trying("kill -9 at a file operation (checkpoint, validation, log, hypotheses)"):
        status, output = victim(fault=KilledAtEvent(str(victim.out / "additive"), number))
        assert status == -9, output
        same(victim, whole, *victim())


@pytest.mark.parametrize("share", [0.35, 0.8])
def test_killed_at_a_file_operation(command, whole, events, share):
    assert events > 100
    killed_at(command, whole, int(events * share), f"event{share}")


@pytest.mark.slow
def test_killed_at_twenty_random_file_operations(command, whole, events):
    for number in sorted(random.Random(7).sample(range(2, events), 20)):
        killed_at(command, whole, number, f"event{number}")


@pytest.mark.slow
def test_killed_at_twenty_random_moments(command, whole):
    timed = command("timed")
    began = now()
    assert timed()[0] == 0
    for number, moment in enumerate(moments(11, 20, now() - began)):
        victim = command(f"moment{number}")
        with TABLE.trying("kill -9 at a random moment"):
            victim.killed_after(moment)
            same(victim, whole, *victim())


@pytest.mark.slow
def test_killed_again_and_again(command, whole, events):
    victim = command("again")
    with TABLE.trying("kill -9 six times in one run"):
        for number in (40, 55, 60, 25, 70, 33):
            assert victim(fault=KilledAtEvent(str(victim.out / "additive"), number))[0] == -9
        same(victim, whole, *victim())
