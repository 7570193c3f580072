"""Who may write to a run's folder, and what a resumed log looks like."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2seq.config.errors import UserError
from seq2seq.run.folder import JsonLines, RunFolder, config_differences, write_aside


def test_claiming_twice_with_the_same_config(tmp_path):
    folder = RunFolder(tmp_path / "additive" / "seed-3")
    folder.claim({"a": {"b": 1, "norwegian": "no", "small": 1e-9, "none": None, "list": [1, 2]}})
    folder.claim({"a": {"b": 1, "norwegian": "no", "small": 1e-9, "none": None, "list": [1, 2]}})
    assert (folder.system, folder.seed) == ("additive", 3)


def test_another_config_is_refused_with_the_difference(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim({"training": {"max_steps": 5, "seeds": [1]}})
    with pytest.raises(UserError, match=r"training.max_steps: 5 there, 7 here.*--out DIR"):
        folder.claim({"training": {"max_steps": 7, "seeds": [1]}})


def test_a_foreign_folder_is_refused(tmp_path):
    (tmp_path / "holiday.jpg").write_bytes(b"sea")
    with pytest.raises(UserError, match="not a run of ours"):
        RunFolder(tmp_path).claim({"a": 1})
    assert (tmp_path / "holiday.jpg").read_bytes() == b"sea"


def test_many_may_write_one_file_at_once(tmp_path):
    """The jobs of a study all write its `study.yaml`; two of them on a cluster once met at the same name."""
    path = tmp_path / "study.yaml"
    texts = [f"{number}\n" * 2000 for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        for done in [pool.submit(write_aside, path, text) for _ in range(25) for text in texts]:
            done.result()
    assert path.read_text() in texts
    assert list(tmp_path.iterdir()) == [path]


def _hold(path, ready, go):
    with RunFolder(path).locked():
        ready.set()
        go.wait(20)


def test_a_second_process_is_refused_and_the_lock_dies_with_its_holder(tmp_path):
    context = multiprocessing.get_context("fork")
    ready, go = context.Event(), context.Event()
    holder = context.Process(target=_hold, args=(tmp_path, ready, go))
    holder.start()
    assert ready.wait(20)
    with pytest.raises(UserError, match="another process is training this run"), RunFolder(tmp_path).locked():
        pass
    holder.kill()
    holder.join()
    with RunFolder(tmp_path).locked():
        pass


def test_a_resumed_log_forgets_what_came_after_the_checkpoint(tmp_path):
    log = JsonLines(tmp_path / "log.jsonl")
    log.write(step=1)
    size = log.size()
    log.write(step=2)
    log.close()
    log = JsonLines(tmp_path / "log.jsonl", keep=size)
    log.write(step="two")
    log.close()
    assert (tmp_path / "log.jsonl").read_text() == '{"step": 1}\n{"step": "two"}\n'


@pytest.mark.parametrize("there", [b"", b'{"step": 1}\n', b'{"step": 1}\n{"step": 2'])
def test_a_log_shorter_than_its_checkpoint_is_not_filled(tmp_path, there):
    (tmp_path / "log.jsonl").write_bytes(there)
    log = JsonLines(tmp_path / "log.jsonl", keep=60)
    log.write(step=3)
    assert log.size() == (tmp_path / "log.jsonl").stat().st_size
    log.close()
    whole = there[: there.rfind(b"\n") + 1]
    assert (tmp_path / "log.jsonl").read_bytes() == whole + b'{"step": 3}\n'


def test_a_damaged_summary_is_one_clear_line(tmp_path):
    (tmp_path / "summary.json").write_text("{")
    with pytest.raises(UserError, match=r"summary\.json: not JSON"):
        RunFolder(tmp_path).is_finished()


def test_differences_name_the_path():
    assert config_differences({"a": {"b": 1}, "c": 2}, {"a": {"b": 3}, "d": 4}) == [
        "a.b: 1 there, 3 here",
        "c: 2 there, (absent) here",
        "d: (absent) there, 4 here",
    ]


def test_a_setting_that_is_gone_and_did_nothing_is_no_difference():
    assert config_differences({"data": {"concatenate": 1}}, {"data": {"join": None}}) == []
    assert config_differences({"data": {"concatenate": 3}}, {"data": {}}) == ["data.concatenate: 3 there, (absent) here"]
