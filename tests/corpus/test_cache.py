"""Entries appear whole or not at all, whoever writes at the same time."""

import json
import os
import threading
import time

import pytest

from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache, describe_cache, digest


def test_an_entry_is_built_once(tmp_path):
    built = []

    def build(folder):
        built.append(folder)
        (folder / "f").write_text("content")

    cache = Cache(tmp_path / "new")
    places = [cache.entry("kind", "key", build) for _ in range(3)]
    assert len(built) == 1
    assert {place.joinpath("f").read_text() for place in places} == {"content"}
    assert cache.entry("kind", "other", build) != places[0]


def test_a_failed_build_leaves_nothing(tmp_path):
    def build(folder):
        (folder / "f").write_text("half")
        raise UserError("no")

    with pytest.raises(UserError, match="no"):
        Cache(tmp_path).entry("kind", "key", build)
    assert list((tmp_path / "kind").iterdir()) == []


@pytest.mark.parametrize("damage", ["truncate", "delete", "no note", "bad note"])
def test_a_damaged_entry_is_built_again(tmp_path, damage):
    def build(folder):
        (folder / "f").write_text("content")

    place = Cache(tmp_path).entry("kind", "key", build)
    if damage == "truncate":
        (place / "f").write_text("con")
    elif damage == "delete":
        (place / "f").unlink()
    elif damage == "no note":
        (place / "complete.json").unlink()
    else:
        (place / "complete.json").write_text("[1")
    assert (Cache(tmp_path).entry("kind", "key", build) / "f").read_text() == "content"
    assert [path.name for path in (tmp_path / "kind").iterdir()] == ["key"]


def test_builders_at_the_same_time_do_not_clash(tmp_path):
    together = threading.Barrier(6)
    failures = []

    def build(folder):
        together.wait()
        (folder / "f").write_text("content")
        together.wait()

    def work():
        try:
            assert (Cache(tmp_path).entry("kind", "key", build) / "f").read_text() == "content"
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=work) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert [path.name for path in (tmp_path / "kind").iterdir()] == ["key"]


def test_leftovers_of_killed_processes_go_after_a_day(tmp_path):
    (tmp_path / "kind" / ".old.1.partial").mkdir(parents=True)
    (tmp_path / "kind" / ".young.1.partial").mkdir()
    os.utime(tmp_path / "kind" / ".old.1.partial", (time.time() - 90_000,) * 2)
    Cache(tmp_path).entry("kind", "key", lambda folder: (folder / "f").touch())
    assert sorted(path.name for path in (tmp_path / "kind").iterdir()) == [".young.1.partial", "key"]


def test_a_cache_that_cannot_be_written_is_said(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(UserError, match=r"cannot write the cache .* set SEQ2SEQ_CACHE"):
        Cache(tmp_path / "file").entry("kind", "key", lambda folder: None)


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path):
    def build(folder):
        (folder / "f").write_text("half")
        raise OSError(28, os.strerror(28))

    with pytest.raises(UserError, match=r"cannot write the cache .No space left on device"):
        Cache(tmp_path).entry("kind", "key", build)
    assert list((tmp_path / "kind").iterdir()) == []


@pytest.fixture
def later(monkeypatch):
    """The clock is an hour on, so that no file was written just now."""
    now = time.time_ns
    monkeypatch.setattr("time.time_ns", lambda: now() + 3_600_000_000_000)


def test_file_hashes_are_remembered(tmp_path, monkeypatch, later):
    path = tmp_path / "corpus.txt"
    path.write_text("one")
    cache = Cache(tmp_path / "cache")
    first = cache.file_hash(path)
    with monkeypatch.context() as patch:
        patch.setattr("hashlib.file_digest", lambda *_: pytest.fail("read again"))
        assert cache.file_hash(path) == first
    path.write_text("longer")
    assert cache.file_hash(path) != first


@pytest.mark.parametrize("in_place", [True, False])
def test_a_file_of_equal_size_and_date_is_not_taken_for_the_old_one(tmp_path, later, in_place):
    path = tmp_path / "corpus.txt"
    path.write_text("one")
    cache, status = Cache(tmp_path / "cache"), path.stat()
    first = cache.file_hash(path)
    new = path if in_place else tmp_path / "new"
    new.write_text("two")
    os.utime(new, ns=(status.st_atime_ns, status.st_mtime_ns))
    new.replace(path)
    assert (path.stat().st_size, path.stat().st_mtime_ns) == (status.st_size, status.st_mtime_ns)
    assert cache.file_hash(path) != first


def test_a_file_just_written_is_hashed_each_time(tmp_path):
    path = tmp_path / "corpus.txt"
    cache = Cache(tmp_path / "cache")
    path.write_text("one")
    status = path.stat()
    first = cache.file_hash(path)
    path.write_text("two")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert cache.file_hash(path) != first


def test_an_unreadable_note_costs_a_hash_and_no_more(tmp_path, later):
    path = tmp_path / "corpus.txt"
    path.write_text("one")
    cache = Cache(tmp_path / "cache")
    first = cache.file_hash(path)
    for content in ("", "[]", "{}", "null", json.dumps({"stamp": None})):
        next((tmp_path / "cache" / "files").iterdir()).write_text(content)
        assert cache.file_hash(path) == first


def test_keys_depend_on_every_part():
    keys = {digest(*parts) for parts in ((1, "a"), (1, "b"), ("1", "a"), (1,), ({"x": 1},), ({"x": 2},), ("1a",))}
    assert len(keys) == 7
    assert digest({"a": 1, "b": 2}) == digest({"b": 2, "a": 1})


def test_the_usual_place(monkeypatch, tmp_path):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path))
    assert Cache().root == tmp_path
    monkeypatch.delenv("SEQ2SEQ_CACHE")
    assert Cache().root.parts[-2:] == (".cache", "seq2seq")


def test_the_cache_is_shown_and_emptied_of_its_own_only(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path))
    cache = Cache(tmp_path)
    cache.entry("pieces", "key", lambda folder: (folder / "data").write_bytes(b"x" * 2_000_000) and None)
    killed = tmp_path / "pieces" / ".other.0.partial"
    killed.mkdir()
    (tmp_path / "files").mkdir()
    (tmp_path / "files" / "note.json").write_text("{}")
    (tmp_path / "pieces" / "mine").mkdir()
    (tmp_path / "thesis.txt").write_text("not ours")
    count, size = cache.sizes()["pieces"]
    assert (count, size > 2_000_000) == (2, True)
    assert [line.split() for line in describe_cache(empty=False).splitlines()[1:]] == [
        ["files", "1", "entries", "0.0", "MB"],
        ["pieces", "2", "entries", "2.0", "MB"],
        ["total", "2.0", "MB"],
    ]
    assert "was emptied of" in describe_cache(empty=True)
    assert cache.sizes() == {}
    assert {path.name for path in tmp_path.rglob("*")} == {"pieces", "mine", "files", "thesis.txt"}
    assert cache.entry("pieces", "key", lambda folder: (folder / "data").write_bytes(b"y") and None).is_dir()


def test_an_entry_that_cannot_be_removed_is_named(tmp_path, monkeypatch):
    """With its folder: rmtree's own error gives the name of a file alone."""
    cache = Cache(tmp_path)
    place = cache.entry("pieces", "key", lambda folder: (folder / "data").write_bytes(b"x") and None)

    def refuse(_):
        raise PermissionError(13, "Permission denied", "data")

    monkeypatch.setattr("shutil.rmtree", refuse)
    with pytest.raises(UserError, match=f"^{place}: cannot be removed \\(Permission denied\\)"):
        cache.empty()
