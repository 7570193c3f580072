"""A disk that is full, a folder that cannot be written, files that are damaged: what was saved survives, and the message says so."""

import os
import shutil
import subprocess

import pytest

from seq2seq.run.checkpoint import find_checkpoint
from tests.faults.child import Nobody, SmallFiles
from tests.faults.table import TABLE
from tests.faults.test_killed import same


def clear(output):
    """One error line and no traceback."""
    assert "Traceback" not in output, output
    assert sum(line.startswith("error:") for line in output.splitlines()) == 1, output
    return output


@pytest.mark.parametrize("size", [200, 4000, pytest.param(40_000, marks=pytest.mark.slow)])
def test_a_full_disk(command, whole, size):
    """Checkpoints do not fit; what fits goes on being written. With room again the same command ends as if nothing had been."""
    victim = command(f"full{size}")
    with TABLE.trying("disk full (limit on file size)"):
        status, output = victim(fault=SmallFiles(size))
        assert status in (1, 2), output
        assert "too large" in clear(output)
        same(victim, whole, *victim())


@pytest.mark.slow
@pytest.mark.skipif(os.getuid() != 0, reason="mounting needs root")
@pytest.mark.parametrize("kilobytes", [40, 200, 400, 600])
def test_a_file_system_without_space(command, whole, kilobytes):
    victim = command(f"small{kilobytes}")
    victim.out.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", victim.out], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        with TABLE.trying("disk full (small file system)"):
            status, output = victim()
            assert status in (1, 2), output
            assert "no space left" in clear(output).lower()
            subprocess.run(["mount", "-o", "remount,size=100m", victim.out], check=True)
            same(victim, whole, *victim())
    finally:
        subprocess.run(["umount", "-l", victim.out], check=True)


@pytest.fixture
def open_folder(kept):
    """The folder of all runs, open to a user without rights."""
    top = kept
    while top != top.parent and str(top).startswith("/tmp/"):
        top.chmod(0o777 if top == kept else top.stat().st_mode | 0o055)
        top = top.parent
    for path in kept.glob("cache/**/"):
        path.chmod(0o777)
    for path in kept.iterdir():
        if path.is_file():
            path.chmod(0o666)


def test_a_folder_that_cannot_be_written(command, whole, open_folder):
    victim = command("readonly")
    victim.out.mkdir(mode=0o555)
    with TABLE.trying("read-only folder"):
        status, output = victim(fault=Nobody())
        assert status == 2
        assert "cannot be written to" in clear(output)
        assert "--out DIR" in output


@pytest.mark.parametrize("what", ["checkpoints", "hypotheses"])
def test_permission_lost_in_the_middle(command, whole, open_folder, what):
    """The folder of checkpoints (or of translations) belongs to somebody else when it is to be written."""
    victim = command(f"lost-{what}")
    victim.folder.mkdir(parents=True)
    (victim.folder / what).mkdir(mode=0o555)
    victim.folder.chmod(0o777)
    victim.out.chmod(0o777)
    victim.folder.parent.chmod(0o777)
    (victim.folder / "config.yaml").write_bytes((whole_config(command)).read_bytes())
    (victim.folder / "config.yaml").chmod(0o666)
    with TABLE.trying("permission lost"):
        status, output = victim(fault=Nobody())
        assert status == 1, output
        assert "ermission denied" in clear(output)
        (victim.folder / what).chmod(0o777)
        same(victim, whole, *victim())


def whole_config(command):
    return command("whole").folder / "config.yaml"


@pytest.mark.parametrize("how", ["truncated", pytest.param("flipped", marks=pytest.mark.slow)])
@pytest.mark.parametrize("name", ["model.safetensors", pytest.param("state.json", marks=pytest.mark.slow)])
def test_a_damaged_checkpoint(command, whole, how, name):
    """The last checkpoint of an unfinished run is damaged: the one before is used, aloud, with the same end."""
    victim = command(f"damaged-{how}-{name}")
    shutil.copytree(command("whole").folder, victim.folder)
    (victim.folder / "summary.json").unlink()
    file = victim.folder / "checkpoints" / "last" / name
    data = bytearray(file.read_bytes())
    if how == "flipped":
        data[len(data) // 3] ^= 4
    file.write_bytes(data[:-9] if how == "truncated" else data)
    with TABLE.trying(f"checkpoint {how}"):
        assert find_checkpoint(victim.folder / "checkpoints" / "last")[1]
        status, output = victim()
        assert "damaged checkpoint passed over" in output
        assert "resumes at step" in output
        same(victim, whole, status, output)


def test_all_checkpoints_damaged(command, whole):
    victim = command("all-damaged")
    shutil.copytree(command("whole").folder, victim.folder)
    (victim.folder / "summary.json").unlink()
    for place in ("last", "last.previous"):
        (victim.folder / "checkpoints" / place / "state.json").write_text("{")
    with TABLE.trying("all checkpoints damaged"):
        status, output = victim()
        assert "starts from the beginning" in output
        same(victim, whole, status, output)
