import re
from pathlib import Path

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring import Evidence
from seq2seq.scoring.shape_checks import ShapeCheck, load_papers, run_check, run_checks

PAPERS = Path(__file__).parents[2] / "data" / "papers.yaml"
SETTINGS = EvaluationSettings(metrics=("bleu",), bottleneck_score="bleu", resamples=200)


@pytest.fixture(scope="module")
def papers():
    return load_papers(PAPERS)


@pytest.fixture
def evidence(simulate, world):
    """`other1` is better than `none` by about 6 BLEU at all lengths."""
    return Evidence(*simulate(world(), 1, advantage=0.3), SETTINGS)


def check(**changes):
    fields = {
        "id": "helps",
        "paper": "somebody2015",
        "where": "Table 1",
        "claim": "it helps",
        "seen_in_source": True,
        "systems": {"attention": ["missing", "other1"], "fixed": ["none"]},
        "terms": [{"weight": 1, "system": "attention"}, {"weight": -1, "system": "fixed"}],
        "expect": "above",
    }
    return ShapeCheck.model_validate(fields | changes)


def test_every_paper_of_the_issue_is_there_with_provenance(papers):
    assert {"bahdanau2015", "cho2014", "luong2015", "britz2017", "vaswani2017", "koehn2017", "sutskever2014"} <= set(
        papers.papers
    )
    assert {check.paper for check in papers.checks} == set(papers.papers)
    assert len({check.id for check in papers.checks}) == len(papers.checks)
    tables = {number.where.split(",")[0] for number in papers.papers["luong2015"].numbers}
    assert {"Table 1", "Table 3", "Table 4"} <= tables


@pytest.mark.parametrize(
    ("check_id", "paper", "plus", "minus"),
    [
        ("attention-helps", "bahdanau2015", ("RNNsearch-50", "Table 1, All"), ("RNNencdec-50", "Table 1, All")),
        ("search-30-beats-encdec-50", "bahdanau2015", ("RNNsearch-30", "Table 1, All"), ("RNNencdec-50", "Table 1, All")),
        (
            "luong-dot-beats-general",
            "luong2015",
            ("global (dot)", "Table 4, before unk"),
            ("global (general)", "Table 4, before unk"),
        ),
        ("britz-wide-multiplicative-falls", "britz2017", ("Mul-1024", "attention table"), ("Mul-512", "attention table")),
        ("vaswani-one-head", "vaswani2017", ("8 heads of 64", "Table 3 base"), ("1 head of 512", "Table 3 (A)")),
        ("reversal-helps-fixed", "sutskever2014", ("source reversed", "section 3.3"), ("source in order", "section 3.3")),
    ],
)
def test_paper_values_follow_from_the_papers_numbers(papers, check_id, paper, plus, minus):
    numbers = {(number.row, number.where): number.value for number in papers.papers[paper].numbers if number.unit == "BLEU"}
    value = next(check.paper_value for check in papers.checks if check.id == check_id)
    assert value == pytest.approx(numbers[plus] - numbers[minus])


def test_pass_fail_and_the_first_system_that_is_there(evidence):
    result = run_check(check(), evidence)
    assert result.outcome == "pass"
    assert result.systems == {"attention": "other1", "fixed": "none"}
    assert result.estimate == evidence.difference("other1", "none", "bleu")
    assert run_check(check(expect="below"), evidence).outcome == "fail"
    assert run_check(check(threshold=90), evidence).outcome == "fail"


def test_an_interval_that_holds_the_limit_is_underpowered(evidence):
    result = run_check(check(threshold=evidence.difference("other1", "none", "bleu").value + 0.1), evidence)
    assert result.outcome == "underpowered"
    assert "the interval holds the limit" in result.reason


def test_a_small_bucket_is_underpowered_whatever_it_says(evidence):
    terms = [{"weight": 1, "system": "attention", "words": [48, None]}, {"weight": -1, "system": "fixed", "words": [48, None]}]
    result = run_check(check(terms=terms, threshold=-90), evidence)
    assert result.outcome == "underpowered"
    assert "too small" in result.reason


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"systems": {"attention": ["a", "b"], "fixed": ["none"]}}, "no system named a or b"),
        ({"metric": "chrf"}, "chrf was not scored"),
        ({"terms": [{"weight": 1, "system": "fixed", "words": [80, None]}]}, r"no two sentences of 80\+ source words"),
    ],
)
def test_not_applicable_says_what_is_missing(evidence, changes, reason):
    result = run_check(check(**changes), evidence)
    assert (result.outcome, result.estimate) == ("not applicable", None)
    assert re.search(reason, result.reason)


def test_slope_checks_are_the_bottleneck_index(evidence):
    assert run_check(check(metric="slope"), evidence).estimate == evidence.bottleneck("other1", "none")


def test_single_seeds_are_named(simulate, world):
    evidence = Evidence(*simulate(world(), 1, seeds=(1, 3), advantage=0.3), SETTINGS)
    assert "n=1 seed" in run_check(check(), evidence).reason


def test_all_checks_of_the_file_run(papers, simulate, world):
    systems, lengths = simulate(world(), 1, seeds=(2, 2))
    renamed = [systems[0], type(systems[1])(name="additive", seeds=(1, 2), statistics=systems[1].statistics)]
    outcomes = {result.check.id: result.outcome for result in run_checks(papers, Evidence(renamed, lengths, SETTINGS))}
    assert outcomes["attention-helps"] in {"pass", "fail", "underpowered"}
    assert outcomes["attention-holds"] == "not applicable"  # nothing above 50 words
    assert outcomes["vaswani-one-head"] == "not applicable"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("papers: {}\nchecks: []\nchecks: []\n", "not valid YAML"),
        ("papers: {}\n", "checks: Field required"),
        ("papers: {a: {title: t, authors: a, year: x, source: s, task: t}}\nchecks: []\n", r"papers\.a\.year"),
    ],
)
def test_a_broken_file_is_one_clear_line(tmp_path, text, message):
    path = tmp_path / "papers.yaml"
    path.write_text(text)
    with pytest.raises(UserError, match=message) as error:
        load_papers(path)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_one_clear_line(tmp_path):
    with pytest.raises(UserError, match="cannot be read"):
        load_papers(tmp_path / "papers.yaml")


def test_unknown_roles_and_papers_are_refused(papers):
    with pytest.raises(ValueError, match="roles that its systems do not name"):
        check(terms=[{"weight": 1, "system": "nobody"}])
    with pytest.raises(ValueError, match="papers that are not listed"):
        type(papers)(papers=papers.papers, checks=(check(),))
