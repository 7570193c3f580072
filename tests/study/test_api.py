"""Python for notebooks: what a run, a member of the family and a report give, as arrays, frames and pictures."""

import base64
import io
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch

import seq2seq
from seq2seq.attention.fixed import FIXED
from seq2seq.attention.scores import SCORES
from seq2seq.cli import main
from seq2seq.config.data import TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.images import ImageTokenizer
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.report.build import build_report
from seq2seq.study.api import Run, StudyReport, Translation
from tests.report.invented import HOSTILE, invent_texts, write_study
from tests.study.untrained import LINES, SIZE, make_run


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(LINES, TokenizerSettings(vocabulary_size=SIZE))


@pytest.fixture
def make(tokenizer, tmp_path):
    def run(reverse=False, **attention):
        made = make_run(tokenizer, tmp_path / "own" / "seed-1", reverse, **(attention or {"score": "additive"}))
        return Run(made, torch.device("cpu"))

    return run


def pictures(html):
    found = re.findall(r'src="data:image/svg\+xml;base64,([^"]+)"', html)
    return [base64.b64decode(data).decode() for data in found]


def test_the_package_offers_its_functions_and_stays_light():
    code = "import sys, seq2seq; print('torch' in sys.modules, {'load_run', 'read_report'} <= set(dir(seq2seq)))"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["False", "True"]
    assert {name for name in seq2seq.__all__ if getattr(seq2seq, name) is None} == set()
    with pytest.raises(AttributeError, match="no attribute 'load_runz'"):
        _ = seq2seq.load_runz


def test_help_lists_what_is_refused():
    refusing = (seq2seq.load_run, seq2seq.train, seq2seq.build_attention, seq2seq.draw_attention, Run.translate)
    assert {each.__name__: "Raises:" in each.__doc__ for each in refusing} == {each.__name__: True for each in refusing}
    assert "columns source, rows target" in seq2seq.draw_attention.__doc__


def test_a_single_change_is_no_list_of_letters():
    with pytest.raises(UserError, match=r"--set training\.max_stps: unknown key; did you mean 'max_steps'"):
        seq2seq.train("demo", changes="training.max_stps=5")


@pytest.mark.parametrize("reverse", [False, True])
def test_translations_carry_their_attention(make, reverse):
    run = make(reverse)
    first, second = run.translate(["the old man sees", "she  goes home"])
    assert run.translate("the old man sees")[0].text == first.text
    assert first.source == [
        *run.trained.source_tokenizer.pieces(run.trained.source_tokenizer.encode("the old man sees")),
        "</s>",
    ]
    for found in (first, second):
        assert found.weights.shape == (len(found.target), len(found.source))
        assert np.allclose(found.weights.sum(axis=1), 1, atol=1e-5)
    assert second.by_words().source == ["she", "goes", "home", "(end)"]
    assert np.allclose(second.by_words().weights.sum(axis=1), 1, atol=1e-5)
    assert len(run.translate(["she goes", "home"], n_best=2, beam=3, max_length=4)) == 4


def test_a_given_target_has_the_attention_that_the_model_pays_while_it_is_fed(make):
    run = make()
    (found,) = run.translate("the old man")
    forced = run.attend("the old man", found.text)
    rows = min(len(found.target), len(forced.target))  # the same history gives the same row
    assert rows > 1
    same = [a == b for a, b in zip(found.target, forced.target, strict=False)]
    until = same.index(False) if False in same else rows
    assert np.allclose(found.weights[:until], forced.weights[:until], atol=1e-5)
    assert forced.target[-1] == "</s>"


def test_a_fixed_context_attends_to_nothing(make):
    (found,) = make(score="none").translate("the old man")
    assert found.weights is None
    assert found._repr_html_().startswith("<p>")
    with pytest.raises(UserError, match="attends to no token"):
        found.draw()


def test_sentences_that_cannot_be_translated_are_named(make):
    with pytest.raises(UserError, match="sentence 2 is empty"):
        make().translate(["home", "  "])
    with pytest.raises(UserError, match="sentence 1 is longer than 100,000 characters"):
        make().translate("home " * 30_000)
    with pytest.raises(UserError, match="--n-best 0: at least 1"):
        make().translate("home", n_best=0)
    with pytest.raises(UserError, match="sentence 1 is longer than max_source 5"):
        make(score={"kind": "location", "max_source": 5}).translate("she goes home again and again")
    seeing = Run(replace(make().trained, source_tokenizer=ImageTokenizer()), torch.device("cpu"))
    with pytest.raises(UserError, match=r"sentence 2: 'house' is no object"):
        seeing.translate(["small_red_circle_12_20", "house"])


def test_a_run_says_what_it_is(make):
    run = make()
    assert repr(run).startswith("<Run own seed 1: GRU")
    assert "Bahdanau et al. 2015" in run._repr_html_()
    assert f"{sum(p.numel() for p in run.trained.model.parameters()):,}" in run._repr_html_()


def test_markup_in_a_sentence_stays_text():
    weights = np.array([[0.25, 0.75], [1.0, 0.0]])
    html = Translation(text=HOSTILE, source=[HOSTILE, "b"], target=["c", HOSTILE], weights=weights)._repr_html_()
    assert "<script" not in html
    (picture,) = pictures(html)
    assert "<script" not in picture
    assert "&lt;script" in picture


def test_a_drawing_is_the_heat_map_of_the_report():
    chart = seq2seq.draw_attention(torch.tensor([[0.25, 0.75]]), ["the", "man"], ["der"]).to_dict()
    assert chart["datasets"]["cells0"] == [{"s": 0, "t": 0, "w": 0.25}, {"s": 1, "t": 0, "w": 0.75}]
    halves = torch.tensor([[0.25, 0.75]], dtype=torch.bfloat16, requires_grad=True)  # numpy has no such numbers
    assert seq2seq.draw_attention(halves, ["the", "man"], ["der"]).to_dict()["datasets"] == chart["datasets"]
    with pytest.raises(UserError, match=r"weights of shape \(1, 2\) for 1 target and 3 source names"):
        seq2seq.draw_attention([[0.5, 0.5]], ["a", "b", "c"], ["d"])


@pytest.mark.parametrize("score", sorted((set(SCORES) | set(FIXED)) - {"gated"}))
def test_every_member_of_the_family_runs_by_itself(score):
    member = seq2seq.build_attention(score, query_size=4, memory_size=4)
    query, memory = torch.randn(2, 3, 4), torch.randn(2, 5, 4)
    mask = torch.tensor([[True] * 5, [True] * 3 + [False] * 2])
    output = member(query, memory, mask)
    assert output.weights.shape == (2, 1, 3, 5)
    assert not output.weights[1, :, :, 3:].any()
    alone = member(query[1], memory[1, :3])
    assert torch.allclose(alone.context, output.context[1], atol=1e-6)
    assert "parameters" in member._repr_html_()


def test_a_printed_model_shows_how_much_it_drops(make):
    assert re.search(r"Dropout\(p=0\.\d", repr(make().trained.model))


def test_queries_of_a_member_that_reads_its_past_are_steps():
    member = seq2seq.build_attention("coverage", query_size=4, memory_size=4)
    query, memory = torch.randn(1, 4).expand(3, 4), torch.randn(5, 4)
    weights = member(query, memory).weights[0]
    assert torch.equal(weights[0], member(query[:1], memory).weights[0, 0])
    assert not torch.allclose(weights[0], weights[1])  # the same query, asked again, sees what it has covered


def test_a_wrong_part_is_named():
    with pytest.raises(UserError, match="attention: score: unknown value 'aditive'; did you mean 'additive'"):
        seq2seq.build_attention("aditive", query_size=2, memory_size=2)
    with pytest.raises(UserError, match="attention: windw: unknown key"):
        seq2seq.build_attention("dot", query_size=2, memory_size=2, windw="local_p")


@pytest.mark.parametrize("score", ["additive", "mean"])
@pytest.mark.parametrize("sizes", [{"query_size": 0, "memory_size": 4}, {"query_size": 4, "memory_size": -1}])
def test_a_size_is_above_zero(score, sizes):
    with pytest.raises(UserError, match=r"_size: at least 1 feature, not (0|-1)"):
        seq2seq.build_attention(score, **sizes)


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    folder, texts = tmp_path_factory.mktemp("runs") / "invented", invent_texts()
    write_study(folder, texts)
    return build_report(folder, {"test": texts})


@pytest.fixture(scope="module")
def report(built, tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "report"
    folder.mkdir()
    (folder / "report.json").write_text(built.report.model_dump_json())
    return seq2seq.read_report(folder.parent)


def test_a_report_is_read_from_within_its_study(built, tmp_path, monkeypatch):
    (tmp_path / "report").mkdir()
    (tmp_path / "report" / "report.json").write_text(built.report.model_dump_json())
    monkeypatch.chdir(tmp_path)
    assert list(seq2seq.read_report(".").report.systems) == list(built.report.systems)


def test_a_report_is_frames(report, built):
    assert report.systems["system"].tolist() == list(built.report.systems)
    additive = report.buckets[(report.buckets["system"] == "additive") & (report.buckets["edges"] == "fixed")]
    assert additive["bleu"].tolist() == [bucket.bleu for bucket in built.report.systems["additive"].buckets]
    assert "comparison.difference" in report.buckets
    assert len(report.runs) == sum(len(system.runs) for system in built.report.systems.values())
    assert set(report.comparisons["system"]) == {"additive", "scaled"}
    assert report.curves.empty == (not any(built.report.learning_curves.values()))


def test_comparisons_have_their_columns_even_where_there_is_nothing_to_compare(built):
    alone = StudyReport(built.report.model_copy(update={"comparisons": []}))
    assert alone.comparisons.query("metric == 'bleu'")[["system", "min", "difference", "low", "verdict"]].empty


def test_a_report_draws_and_shows_itself(report):
    assert report.draw().to_dict()["usermeta"]["axis"][0] == "BLEU"
    html = report._repr_html_()
    assert html.count("<tr>") == 5  # heads, numbers of sentences, three systems
    assert len(pictures(html)) == 1
    with pytest.raises(UserError, match="no figure named 'bleu'; there are bleu_by_length"):
        report.draw("bleu")


def test_no_report_is_told_with_the_command(tmp_path):
    with pytest.raises(UserError, match="no report here; write one with: seq2seq report"):
        seq2seq.read_report(tmp_path)
    with pytest.raises(UserError, match="no run here"):
        seq2seq.load_run(tmp_path)
    for load in (seq2seq.load_run, seq2seq.load_runs):
        with pytest.raises(UserError, match="not a name on the hub"):
            load("hub:")


def test_a_loaded_run_translates_as_the_command_does(trained_once, capsys, monkeypatch):
    path = trained_once / "runs" / "additive" / "seed-1"
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(b"one two three\nfour five\n")))
    assert main(["translate", str(path)]) == 0
    said = capsys.readouterr().out.split("\n")[:-1]
    runs = seq2seq.load_runs(trained_once / "runs")
    assert list(runs) == ["additive"]
    assert list(seq2seq.load_runs(trained_once / "runs", path, path)) == ["additive"]  # one run, however often it is named
    assert [found.text for found in runs["additive"].translate(["one two three", "four five"])] == said
    assert seq2seq.load_run(path).trained.step == runs["additive"].trained.step
    for load, advice in (
        (seq2seq.load_run, f"give one of {path}"),
        (seq2seq.load_runs, f"the study's folder, {path.parent.parent}"),
    ):
        with pytest.raises(UserError, match=re.escape(advice)):
            load(path.parent)
    with pytest.raises(UserError, match="device quantum: "):
        seq2seq.load_run(path, device="quantum")
