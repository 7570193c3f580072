"""Who may write to a run's folder, and what a resumed log looks like."""

import multiprocessing
from concurrent.futures import ThreadPoolExecutor

import pytest

from seq2seq.config.differences import described
from seq2seq.config.errors import UserError
from seq2seq.config.loading import plain, read_yaml
from seq2seq.run.folder import JsonLines, RunFolder, dump_yaml, write_aside, write_json
from seq2seq.run.trained import find_runs


def test_claiming_twice_with_the_same_config(tmp_path):
    folder = RunFolder(tmp_path / "additive" / "seed-3")
    folder.claim({"a": {"b": 1, "norwegian": "no", "small": 1e-9, "none": None, "list": [1, 2]}})
    folder.claim({"a": {"b": 1, "norwegian": "no", "small": 1e-9, "none": None, "list": [1, 2]}})
    assert (folder.system, folder.seed) == ("additive", 3)


@pytest.mark.parametrize(
    ("place", "system", "seed"), [("a/seed-12", "a", 12), ("model", "model", 0), ("a/seed-1.bak", "seed-1.bak", 0)]
)
def test_a_folder_of_any_name_has_a_system_and_a_seed(tmp_path, place, system, seed):
    folder = RunFolder(tmp_path / place)
    assert (folder.system, folder.seed) == (system, seed)


def test_a_backup_is_passed_over_and_a_renamed_run_is_found(tmp_path):
    for place in ("none/seed-1", "none/seed-1.bak", "none/seed-10"):
        (tmp_path / place).mkdir(parents=True)
        (tmp_path / place / "config.yaml").touch()
    assert [folder.path.name for folder in find_runs(tmp_path)] == ["seed-1", "seed-10"]
    assert [folder.system for folder in find_runs(tmp_path / "none" / "seed-1.bak")] == ["seed-1.bak"]


CONFIG = {
    "data": {"corpus": "mine", "path": "/one", "test": ["test"]},
    "training": {"max_steps": 5, "seeds": [1], "log_every": 10, "learning_rate": 0.1, "schedule": {"kind": "constant"}},
    "search": {"beam": 5, "batch_tokens": 100},
}


def changed(**parts):
    return {**CONFIG, **{part: {**CONFIG[part], **values} for part, values in parts.items()}}


@pytest.fixture
def trained(tmp_path):
    """A finished run with a checkpoint."""
    folder = RunFolder(tmp_path / "runs" / "additive" / "seed-1")
    folder.claim(CONFIG)
    for place in (folder.best, folder.last):
        place.mkdir(parents=True)
        (place / "state.json").write_text("{}")
    write_json(folder.summary, {"status": "finished", "steps": 5})
    write_json(folder.hypotheses("test").with_suffix(".json"), {"search": CONFIG["search"], "step": 5})
    write_aside(folder.hypotheses("test"), "a\n")
    return folder


def test_another_config_is_refused_with_the_difference(trained):
    for change, said in (
        ({"learning_rate": 0.2}, r"training.learning_rate: 0.1 there, 0.2 here.*--out DIR"),
        ({"max_steps": 4}, "training.max_steps: 5 there, 4 here"),
        ({"clip_norm": 1.0}, "training.clip_norm: None there, 1.0 here"),
    ):
        with pytest.raises(UserError, match=said):
            trained.claim(changed(training=change))


@pytest.mark.parametrize(
    "change",
    [
        {"training": {"seeds": [1, 2]}},
        {"training": {"log_every": 1}},
        {"data": {"path": "/two"}},
        {"search": {"batch_tokens": 9}},
        {"training": {"unused": None}},
    ],
)
def test_what_decides_no_number_may_change(trained, change):
    config = changed(**change)
    assert trained.check(config) == []
    assert trained.is_done(config)
    trained.claim(config)
    assert trained.is_finished()
    assert described(plain(read_yaml(trained.config)), config) == []


@pytest.mark.parametrize("change", [{"data": {"test": ["test", "more"]}}, {"search": {"beam": 1}}])
def test_another_test_set_or_search_is_asked_for_and_belongs_to_the_run(trained, change):
    config = changed(**change)
    assert not trained.is_done(config)
    assert trained.claim(config) == []
    assert trained.is_finished()
    assert trained.untranslated(config) == (["more"] if "data" in change else ["test"])


def test_tuned_translations_stand_for_the_search_of_the_config(trained):
    facts = {"search": {"beam": 10}, "instead_of": CONFIG["search"], "step": 5}
    write_json(trained.hypotheses("test").with_suffix(".json"), facts)
    assert trained.is_done(CONFIG)
    assert not trained.is_done(changed(search={"beam": 1}))


def test_a_finished_run_is_trained_longer_and_its_end_is_kept(trained):
    assert trained.claim(changed(training={"max_steps": 9})) == ["training.max_steps: 5 there, 9 here"]
    assert not trained.is_finished()
    assert trained.read_summary()["earlier"] == [{"status": "finished", "steps": 5}]
    assert (trained.best.with_name("step-5") / "state.json").exists()
    assert trained.claim(changed(training={"max_steps": 9})) == []  # cut and started again


def test_no_limit_at_all_is_longer_than_any(trained):
    write_aside(trained.config, dump_yaml(changed(training={"patience": 3})))
    assert trained.check(changed(training={"patience": None})) == ["training.patience: 3 there, None here"]
    with pytest.raises(UserError, match=r"training.patience: 3 there, 2 here"):
        trained.check(changed(training={"patience": 2}))


@pytest.mark.parametrize("kind", ["linear", "cosine"])
def test_a_schedule_that_was_laid_out_for_its_steps_is_not_trained_longer(trained, kind):
    write_aside(trained.config, dump_yaml(changed(training={"schedule": {"kind": kind}})))
    with pytest.raises(UserError, match=f"max_steps: 5 there, 9 here.*its {kind} schedule was laid out for 5 steps"):
        trained.claim(changed(training={"schedule": {"kind": kind}, "max_steps": 9}))
    assert trained.is_finished()


def test_a_run_without_its_last_checkpoint_is_not_trained_longer(trained):
    (trained.last / "state.json").unlink()
    with pytest.raises(UserError, match="no checkpoint to train on from"):
        trained.claim(changed(training={"max_steps": 9}))
    assert trained.is_finished()
    before = trained.last.with_name("last.previous")
    before.mkdir()
    write_aside(before / "state.json", "{}")  # the one before it goes on, as where the last is damaged
    assert trained.check(changed(training={"max_steps": 9})) == ["training.max_steps: 5 there, 9 here"]


def test_a_start_that_trained_nothing_binds_to_nothing(tmp_path):
    folder = RunFolder(tmp_path / "run")
    folder.claim(CONFIG)
    write_json(folder.environment, {"fingerprints": {"train": "a"}})
    folder.claim(changed(training={"learning_rate": 0.2}))
    assert plain(read_yaml(folder.config))["training"]["learning_rate"] == 0.2
    folder.check_fingerprints({"train": "b"})
    folder.log.write_text('{"event": "train"}\n')
    with pytest.raises(UserError, match="learning_rate"):
        folder.claim(CONFIG)


def test_only_what_was_trained_on_is_asked_for(tmp_path):
    folder = RunFolder(tmp_path / "run")
    write_json(folder.environment, {"fingerprints": {"train": "a", "test": "b"}})
    folder.check_fingerprints({"train": "a"})
    with pytest.raises(UserError, match="SHA-256 of train: a there, c here"):
        folder.check_fingerprints({"train": "c"})


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
    with pytest.raises(UserError, match=r"summary\.json: not valid JSON"):
        RunFolder(tmp_path).is_finished()
