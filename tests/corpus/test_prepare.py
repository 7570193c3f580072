"""From files to arrays, through the cache."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
from pydantic import ValidationError

from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.prepare import prepare
from seq2seq.corpus.tokenizer import UNK, Tokenizer

from .conftest import write_lines

TOKENIZER = TokenizerSettings(vocabulary_size=340)


@pytest.fixture
def run(tmp_path, said):
    """Prepare with a cache of the test's own."""

    def prepared(settings, tokenizer=TOKENIZER):
        return prepare(settings, tokenizer, report=said.append, cache=tmp_path / "cache")

    return prepared


def lines(path):
    return path.read_text(encoding="utf-8").splitlines()


def changed(settings, **changes):
    return DataSettings(**{**settings.model_dump(), **changes})


def test_every_split_has_its_text_and_its_pieces(toy, corpus_folder, run, said):
    data = run(toy)
    for name, split in (("valid", data.valid), ("test", data.tests["test"])):
        assert [split.source(i) for i in range(len(split))] == lines(corpus_folder / f"{name}.en")
        assert [split.target(i) for i in range(len(split))] == lines(corpus_folder / f"{name}.xx")
    for split in (data.train, data.valid):
        for i in range(0, len(split), 7):
            assert data.source_tokenizer.decode(split.source_tokens(i)) == split.source(i)
            assert data.target_tokenizer.encode(split.target(i)) == split.target_tokens(i)
    assert data.counts["train"].kept == len(data.train)
    assert said[0].startswith("corpus toy: files in")
    assert said[1] == "tokenizer: unigram, joint, 340 subwords"
    assert said[2].startswith("train: 300 pairs read, ")
    assert said[3:] == ["valid: 20 pairs read, 20 kept", "test: 30 pairs read, 30 kept"]


def test_fingerprints_are_of_the_sentences_used(toy, corpus_folder, run):
    data = run(toy)
    pairs = zip(lines(corpus_folder / "test.en"), lines(corpus_folder / "test.xx"), strict=True)
    assert data.fingerprints["test"] == hashlib.sha256("".join(f"{s}\n{t}\n\n" for s, t in pairs).encode()).hexdigest()
    assert set(data.fingerprints) == {"train", "valid", "test", "source_tokenizer", "target_tokenizer"}
    assert data.fingerprints["source_tokenizer"] == data.source_tokenizer.fingerprint


def test_the_second_time_nothing_is_done_again(toy, run, monkeypatch):
    first = run(toy)
    monkeypatch.setattr(Tokenizer, "train", lambda *_: pytest.fail("trained again"))
    monkeypatch.setattr(Tokenizer, "encode_batch", lambda *_: pytest.fail("encoded again"))
    monkeypatch.setattr("seq2seq.corpus.prepare.PairTexts.write", lambda *_: pytest.fail("cleaned again"))
    second = run(toy)
    assert second.fingerprints == first.fingerprints
    assert second.counts == first.counts
    assert np.array_equal(second.train.source_arrays.tokens, first.train.source_arrays.tokens)


def test_opening_from_the_cache_imports_nothing_heavy(toy, corpus_folder, run, tmp_path):
    run(toy)
    code = (
        "import sys\nfrom pathlib import Path\nfrom seq2seq.config.data import DataSettings, TokenizerSettings\n"
        "from seq2seq.corpus.prepare import prepare\n"
        "data = prepare(DataSettings(corpus='toy', source='en', target='xx'), TokenizerSettings(vocabulary_size=340), "
        f"report=print, cache=Path({str(tmp_path / 'cache')!r}))\n"
        "assert len(data.train)\nassert not {'datasets', 'pyarrow', 'torch'} & set(sys.modules), sorted(sys.modules)\n"
        "assert data.valid.source(0)\nassert 'pyarrow' in sys.modules and 'datasets' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


@pytest.mark.parametrize(
    "change",
    [
        {"max_words": 3},
        {"max_tokens": 5},
        {"max_pairs": 100},
        {"max_ratio": 1.5},
        {"join": {"max_pairs": 3, "edges": [5, 10], "per_bucket": 9}},
        {"source": "xx", "target": "en"},
    ],
)
def test_settings_that_change_the_data_do_not_meet_old_entries(toy, run, change):
    before, after = (run(settings, TokenizerSettings(vocabulary_size=280)) for settings in (toy, changed(toy, **change)))

    def content(data):
        splits = (data.train, data.valid, data.tests["test"])
        return [[s.pair(i) for i in range(len(s))] for s in splits]

    assert content(before) != content(after)


def test_a_changed_file_is_prepared_again(toy, corpus_folder, run):
    before = run(toy)
    write_lines(corpus_folder / "test.en", ["another"] * 30)
    after = run(toy)
    assert after.tests["test"].source(0) == "another"
    assert after.fingerprints["test"] != before.fingerprints["test"]
    assert after.fingerprints["train"] == before.fingerprints["train"]


def test_pieces_are_learned_from_the_cleaned_training_split_alone(toy, corpus_folder, run):
    before = run(toy)
    for split in ("valid", "test"):
        write_lines(corpus_folder / f"{split}.en", ["ÄÖÜ"] * 5)
        write_lines(corpus_folder / f"{split}.xx", ["ÄÖÜ"] * 5)
    with (corpus_folder / "train.en").open("a") as file:
        file.write("dropped: \x07 Ж Ж Ж\n")
    with (corpus_folder / "train.xx").open("a") as file:
        file.write("Ж Ж Ж\n")
    assert run(toy).source_tokenizer.fingerprint == before.source_tokenizer.fingerprint


def test_separate_vocabularies(toy, run, said):
    data = run(toy, TokenizerSettings(vocabulary_size=300, joint=False))
    assert data.source_tokenizer.fingerprint != data.target_tokenizer.fingerprint
    assert data.target_tokenizer.decode(data.valid.target_tokens(3)) == data.valid.target(3)
    assert "tokenizer: unigram, separate, 300 and 300 subwords" in said
    joint = run(toy)
    assert joint.source_tokenizer is joint.target_tokenizer


def test_pieces_can_be_learned_from_a_sample(toy, run):
    small = run(toy, TokenizerSettings(vocabulary_size=300, sample_characters=1500))
    whole = run(toy, TokenizerSettings(vocabulary_size=300))
    assert small.source_tokenizer.fingerprint != whole.source_tokenizer.fingerprint
    assert UNK not in small.train.source_arrays.tokens


def test_over_long_training_pairs_are_dropped_and_counted_in_pieces(toy, corpus_folder, run):
    whole, short = run(toy), run(changed(toy, max_tokens=6))
    assert short.counts["train"].dropped["too_many_pieces"] > 0
    assert short.counts["train"].kept == len(short.train) < len(whole.train)
    assert max(short.train.source_lengths.max(), short.train.target_lengths.max()) <= 6
    for i in range(len(short.train)):
        assert short.source_tokenizer.decode(short.train.source_tokens(i)) == short.train.source(i)
    assert len(short.tests["test"]) == 30


def test_gold_links_reach_the_split(run):
    grammar = {"train_pairs": 400, "valid_pairs": 5, "test_pairs": 5, "max_words": 12}
    data = run(DataSettings(corpus="grammar", grammar=grammar), TokenizerSettings(vocabulary_size=400))
    for i in range(5):
        pair = data.tests["test"].pair(i)
        assert data.tests["test"].pair(i).links == pair.links
        assert pair.links
        assert max(s for s, _ in pair.links) < len(pair.source.split())
        assert max(t for _, t in pair.links) < len(pair.target.split())


def test_validating_on_a_test_split_is_allowed(toy, run):
    data = run(changed(toy, valid="test"))
    assert len(data.valid) == len(data.tests["test"]) == 30


@pytest.mark.parametrize(
    ("split", "english", "other", "message"),
    [
        ("test", ["a", "", "c"], ["x", "y", "z"], "split 'test': line 2 has no text in 'en'"),
        ("valid", ["a", "b"], ["x"], "valid.en has 2 lines but"),
        ("train", [], [], "split 'train' is empty"),
        ("test", [], [], "split 'test' is empty"),
        (
            "train",
            ["a" * 50] * 3,
            ["x"] * 3,
            "no pair of split 'train' is left after cleaning (3 pairs read, 0 kept; dropped: 3 length ratio)",
        ),
    ],
)
def test_a_split_that_cannot_be_used_is_said(toy, corpus_folder, run, split, english, other, message):
    write_lines(corpus_folder / f"{split}.en", english)
    write_lines(corpus_folder / f"{split}.xx", other)
    with pytest.raises(UserError) as caught:
        run(toy)
    assert message in str(caught.value)


def test_a_missing_split_and_a_vocabulary_too_large_are_said(toy, run):
    with pytest.raises(UserError, match=r"dev\.en.*splits of en-xx there: test, train, valid"):
        run(changed(toy, valid="dev"))
    with pytest.raises(UserError, match="the largest possible is"):
        run(toy, TokenizerSettings(vocabulary_size=50_000))
    with pytest.raises(UserError, match=r"no pair of 'train' is left after cleaning .*too many pieces"):
        run(changed(toy, max_tokens=1, max_pairs=20), TokenizerSettings(vocabulary_size=278))


def test_processes_that_prepare_at_once_agree(toy, corpus_folder, tmp_path):
    code = (
        "from pathlib import Path\nfrom seq2seq.config.data import DataSettings, TokenizerSettings\n"
        "from seq2seq.corpus.prepare import prepare\n"
        "data = prepare(DataSettings(corpus='toy', source='en', target='xx'), TokenizerSettings(vocabulary_size=340), "
        f"report=lambda line: None, cache=Path({str(tmp_path / 'cache')!r}))\nprint(sorted(data.fingerprints.items()), len(data.train))\n"
    )
    processes = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = {process.communicate(timeout=120)[0] for process in processes}
    assert [process.returncode for process in processes] == [0, 0]
    assert len(said) == 1


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"target": "en"}, "source and target are both 'en'"),
        ({"valid": "train"}, "the training split 'train' is also used"),
        ({"test": ["a", "a"]}, "test names a split twice"),
        ({"grammar": {"seed": 2}}, "grammar: applies to corpus 'grammar' only, not to 'toy'"),
        ({"corpus": "grammar", "target": "fr"}, "has languages en and de, not en and fr"),
        ({"corpus": "grammar", "path": "x"}, "path: does not apply to corpus 'grammar'"),
        ({"corpus": "grammar", "streaming": True}, "streaming: does not apply"),
        ({"train": "../train"}, "should match pattern"),
        ({"source": "e/n"}, "should match pattern"),
        ({"max_tokens": 0}, "greater than or equal to 1"),
    ],
)
def test_settings_that_make_no_sense_are_refused(settings, message):
    with pytest.raises(ValidationError) as caught:
        DataSettings.model_validate({"corpus": "toy", **settings})
    assert message in str(caught.value)


def test_settings_survive_being_written_down():
    for settings in (DataSettings(corpus="grammar"), DataSettings(corpus="toy", test=("a", "b"))):
        assert DataSettings.model_validate(settings.model_dump(mode="json")) == settings
    assert DataSettings(corpus="grammar").grammar is not None


@pytest.mark.slow
def test_a_million_pairs_need_less_than_a_gibibyte(tmp_path, monkeypatch):
    folder = tmp_path / "data" / "big"
    folder.mkdir(parents=True)
    for language, seed in (("en", 1), ("xx", 2)):
        words = np.random.default_rng(seed).integers(0, 3000, (1_000_000, 12))
        with (folder / f"train.{language}").open("w") as file:
            file.writelines(" ".join(f"w{word}" for word in row) + "\n" for row in words.tolist())
        for split in ("valid", "test"):
            write_lines(folder / f"{split}.{language}", ["w1 w2"] * 10)
    monkeypatch.setenv("SEQ2SEQ_DATA", str(tmp_path / "data"))
    code = (
        "import resource\nfrom pathlib import Path\nfrom seq2seq.config.data import DataSettings, TokenizerSettings\n"
        "from seq2seq.corpus.prepare import prepare\n"
        "data = prepare(DataSettings(corpus='big', source='en', target='xx'), TokenizerSettings(vocabulary_size=1000), "
        f"report=lambda line: None, cache=Path({str(tmp_path / 'cache')!r}))\n"
        "print(len(data.train), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)\n"
    )
    found = subprocess.run([sys.executable, "-c", code], check=True, timeout=900, capture_output=True, text=True).stdout.split()
    pairs, kibibytes = map(int, found)
    assert pairs == 1_000_000
    assert kibibytes < 1 << 20
