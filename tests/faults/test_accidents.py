"""What people and machines do to runs: two at once, another config, another corpus, no memory, one system that cannot work."""

import json

import pytest

from seq2seq.config.loading import load_study
from seq2seq.study.runner import train_study
from tests.faults.child import LittleMemory, now
from tests.faults.table import TABLE
from tests.faults.test_disk import clear
from tests.tiny import tiny_study, write_study


@pytest.mark.slow
def test_two_processes_on_one_folder(command, whole):
    """Started together: one trains, the other refuses, and the result is as ever."""
    victim = command("two")
    with TABLE.trying("two processes on one run folder"):
        both = [victim.start(), victim.start()]
        for child in both:
            child.join(240)
        assert sorted(child.exitcode for child in both) == [0, 2]
        assert "another process is training this run" in clear(victim.output.read_text())
        assert victim.result() == whole


@pytest.mark.parametrize("finished", [True, False])
def test_a_changed_config(command, whole, finished):
    victim = command("whole") if finished else unfinished(command, "config")
    with TABLE.trying("changed config"):
        status, output = victim("--set", "training.learning_rate=0.5")
        assert status == 2
        assert "training.learning_rate: 0.001 there, 0.5 here" in clear(output)


def unfinished(command, name):
    """A run that has lost its summary, so that it goes on."""
    import shutil

    victim = command(name)
    shutil.copytree(command("whole").folder, victim.folder, dirs_exist_ok=True)
    (victim.folder / "summary.json").unlink()
    return victim


def test_a_policy_may_change(command, whole):
    """How to go on after an accident is no part of what a run is."""
    victim = unfinished(command, "policy")
    status, output = victim("--set", "training.non_finite=skip")
    assert status == 0, output
    assert "non_finite: skip" in (victim.folder / "config.yaml").read_text()


def test_a_changed_corpus_of_files(tmp_path, monkeypatch):
    """The real thing: a line of the training file is edited between two parts of a run."""
    corpus = tmp_path / "mine"
    corpus.mkdir()
    for split, pairs in (("train", 60), ("valid", 5), ("test", 5)):
        for language, word in (("en", "word"), ("de", "wort")):
            (corpus / f"{split}.{language}").write_text("".join(f"{word} {i} {i * i}\n" for i in range(pairs)))
    monkeypatch.setenv("SEQ2SEQ_CACHE", str(tmp_path / "cache"))
    study = tiny_study(training={"max_steps": 2}, tokenizer={"vocabulary_size": 300})
    study["base"]["data"] = {"corpus": "mine", "source": "en", "target": "de", "path": str(corpus)}
    del study["systems"]["none"]
    loaded = load_study(write_study(tmp_path, study))
    train_study(loaded, out=tmp_path / "runs", arguments=[])
    (tmp_path / "runs" / "additive" / "seed-1" / "summary.json").unlink()
    (corpus / "train.de").write_text((corpus / "train.de").read_text().replace("wort 7 49", "wort 7 vierzig"))
    from seq2seq.config.errors import UserError

    with TABLE.trying("changed corpus"), pytest.raises(UserError, match=r"other data \(SHA-256 of .*train: .* there, .* here"):
        train_study(loaded, out=tmp_path / "runs", arguments=[])


def test_a_damaged_record_of_the_data(command, whole):
    victim = unfinished(command, "environment")
    (victim.folder / "environment.json").write_text("[]")
    status, output = victim()
    assert status == 2
    assert "environment.json: the file: Input should be a valid dictionary; copy it from elsewhere" in clear(output)
    (victim.folder / "environment.json").unlink()
    assert victim()[0] == 0
    assert json.loads((victim.folder / "environment.json").read_text())["fingerprints"]


@pytest.mark.slow
def test_out_of_memory(command, whole):
    """Memory really runs out, in a batch of far too many tokens."""
    victim = command("oom")
    large = (
        "--set",
        "training.batch_tokens=1000000",
        "--set",
        "model.decoder.hidden_size=4000",
        "--set",
        "tokenizer.vocabulary_size=600",
    )
    with TABLE.trying("out of memory"):
        status, output = victim(*large, fault=LittleMemory(1_000_000_000))
        assert status == 1, output
        assert "out of memory" in clear(output)
        assert "training.batch_tokens=500000" in output


@pytest.mark.slow
def test_a_study_with_a_failing_system(command, kept, whole):
    """`broken` loses its numbers at once; the other system is finished, and the exit status tells."""
    study = tiny_study(training={"max_steps": 2})
    study["systems"] = {
        "broken": {
            "training": {"learning_rate": 100, "warmup_steps": 0, "clip_norm": 1e30},
            "model": {"attention": {"score": "cosine"}},  # whose temperature is an exponential
        },
        "additive": study["systems"]["additive"],
    }
    for jobs in ("1", "2"):
        victim = command(f"failing{jobs}")
        victim.arguments = ["train", str(write_study(kept, study, "failing.yaml")), "--out", str(victim.out), "--jobs", jobs]
        began = now()
        with TABLE.trying("a failing system in a study"):
            status, output = victim()
            assert status == 1, output
            assert "Traceback" not in output
            assert "1 of the runs failed: broken seed 1; any others are finished" in output
            assert "(training pairs " in output
            summaries = {name: victim.out / name / "seed-1" / "summary.json" for name in study["systems"]}
            status = {name: json.loads(path.read_text())["status"] for name, path in summaries.items()}
            assert status == {"broken": "failed", "additive": "finished"}
        assert now() - began < 200
