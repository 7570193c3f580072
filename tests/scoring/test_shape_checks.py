import dataclasses
import re
from pathlib import Path

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.scoring.buckets import Bucket
from seq2seq.scoring.evidence import SLOPE, Evidence
from seq2seq.scoring.shape_checks import CheckSettings, Paper, load_papers, run_checks
from seq2seq.scoring.shape_checks import run_check as run_check_of

PAPERS = Path(__file__).parents[2] / "data" / "papers.yaml"
SETTINGS = EvaluationSettings(metrics=("bleu",), bottleneck_score="bleu", resamples=200)


@pytest.fixture(scope="module")
def papers():
    return load_papers(PAPERS)


@pytest.fixture
def evidence(simulate, world):
    """`other1` is better than `none` by about 6 BLEU at all lengths."""
    return Evidence(*simulate(world(), 1, advantage=0.3), SETTINGS)


PAPER = {"title": "t", "authors": "Somebody", "year": 2015, "source": "s", "task": "t"}


def run_check(check, evidence, **setting):
    return run_check_of(check, Paper.model_validate({**PAPER, "setting": setting}), evidence)


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
    return CheckSettings.model_validate(fields | changes)


def with_facts(evidence, **facts):
    """The same evidence about systems of which something is known."""
    systems = [dataclasses.replace(system, facts=facts.get(name, {})) for name, system in evidence.systems.items()]
    return Evidence(systems, evidence.source_words, evidence.settings)


def test_every_paper_has_a_check_and_every_check_an_id_of_its_own(papers):
    assert {check.paper for check in papers.checks} == set(papers.papers)
    assert len({check.id for check in papers.checks}) == len(papers.checks)


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
    given = [number for number in papers.papers[paper].numbers if number.get("unit", "BLEU") == "BLEU"]
    numbers = {(number["row"], number["where"]): number["value"] for number in given}
    value = next(check.paper_value for check in papers.checks if check.id == check_id)
    assert value == pytest.approx(numbers[plus] - numbers[minus])


def test_pass_fail_and_the_first_system_that_is_there(evidence):
    result, ours = run_check(check(), evidence), evidence.difference("other1", "none", "bleu")
    assert (result.verdict, result.side) == ("pass", "paper's")
    assert result.systems == {"attention": "other1", "fixed": "none"}
    assert (result.value, result.low, result.high, result.p) == (ours.value, ours.low, ours.high, ours.p)
    assert run_check(check(expect="below"), evidence).verdict == "fail"
    assert run_check(check(threshold=90), evidence).verdict == "fail"


def test_a_little_that_is_much_is_the_same_direction(evidence):
    assert run_check(check(at_most=1.4, paper_value=0.69), evidence).verdict == "same direction"
    assert run_check(check(at_most=20), evidence).verdict == "pass"


def test_an_interval_that_holds_the_limit_is_undecided_and_says_what_it_could_have_shown(evidence):
    ours = evidence.difference("other1", "none", "bleu")
    result = run_check(check(threshold=ours.value + 0.1), evidence)
    assert result.verdict == "undecided"
    assert f"could have shown {ours.half_width:.2g}" in result.ours


def test_an_interval_that_leaves_nothing_of_the_paper_is_contradicted(simulate, world):
    quiet = Evidence(*simulate(world(sentences=3000, seed=0, interaction=0, noise=0.1), 1), SETTINGS)
    result = run_check(check(paper_value=5.0), quiet)
    assert result.verdict == "contradicted"
    assert result.within == pytest.approx(max(-result.low, result.high))
    assert result.within < 1
    assert run_check(check(paper_value=0.01), quiet).verdict == "undecided"  # the paper's own effect is still inside
    assert run_check(check(paper_value=5.0, threshold=result.value), quiet).verdict == "undecided"  # not "no effect"


def test_near_is_inside_the_margin(evidence):
    assert run_check(check(expect="near"), evidence).verdict == "fail"
    assert run_check(check(expect="near", margin=30), evidence).verdict == "pass"
    assert (
        run_check(check(expect="near", margin=evidence.difference("other1", "none", "bleu").value), evidence).verdict
        == "undecided"
    )


def test_a_small_sample_gets_no_verdict_and_keeps_its_p(evidence):
    terms = [{"weight": 1, "system": "attention", "words": [48, None]}, {"weight": -1, "system": "fixed", "words": [48, None]}]
    result = run_check(check(terms=terms), evidence)
    assert result.verdict == "small sample"
    assert 0 <= result.p <= 1
    assert "p = " in result.ours


def test_a_fixed_vector_at_the_floor_makes_a_check_inapplicable(simulate, world):
    low = Evidence(*simulate(world(quality=-3.0), 1, advantage=4.0), SETTINGS)
    result = run_check(check(), low)
    assert result.verdict == "not applicable"
    assert "baseline at the floor: none below 5 BLEU" in result.ours
    both = check(systems={"attention": ["other1"], "fixed": ["other1"]})
    assert run_check(both, low).verdict != "not applicable"  # it has no fixed vector


CONDITIONS = [
    ("pair", ["de", "en"], ("en", "fr")),
    ("natural", True, False),
    ("trained_words", 50, 24),
    ("score", ["location"], "dot"),
    ("scale", ["none"], "sqrt"),
    ("placement", "before", "after"),
    ("projected", True, False),
    ("attention_size", 512, 384),
    ("heads", 1, 4),
    ("reversed", True, False),
    ("input_feeding", True, False),
    ("positions", "sinusoidal", "learned"),
]


@pytest.mark.parametrize(("name", "theirs", "ours"), CONDITIONS)
def test_every_condition_is_compared(evidence, name, theirs, ours):
    alike = theirs[0] if isinstance(theirs, list) and name != "pair" else tuple(theirs) if isinstance(theirs, list) else theirs
    same, other = with_facts(evidence, other1={name: alike}), with_facts(evidence, other1={name: ours})
    wanted = {"attention": {name: theirs}}
    assert run_check(check(requires=wanted, setting=wanted), same).verdict == "pass"
    assert run_check(check(requires=wanted), other).verdict == "not applicable"
    assert run_check(check(requires=wanted), evidence).verdict == "not applicable"  # nothing is known
    analogue = run_check(check(setting=wanted), other)
    assert (analogue.verdict, analogue.side) == ("analogue", "paper's")
    assert len(analogue.differs) == 1


def test_what_all_systems_of_a_paper_share_is_compared_and_told_once(evidence):
    both = with_facts(evidence, none={"pair": ("en", "de")}, other1={"pair": ("en", "de")})
    result = run_check(check(), both, pair=["en", "fr"])
    assert (result.verdict, result.differs) == ("analogue", ["pair en-de (paper: en-fr)"])
    result = run_check(check(), evidence, trained_words=50)
    assert result.differs == ["trained on sentences of any length (paper: up to 50)"]


def test_luongs_german_english_is_about_german_to_english(papers, evidence):
    one = next(each for each in papers.checks if each.id == "luong-german-english")
    luong = papers.papers[one.paper]
    facts = {"natural": True, "placement": "after", "reversed": True}
    for pair, expected in ((("de", "en"), "pass"), (("en", "fr"), "not applicable")):
        plan = {"none": {**facts, "score": "none", "pair": pair}, "other1": {**facts, "score": "location", "pair": pair}}
        named = with_facts(evidence, **plan)
        systems = [dataclasses.replace(s, name={"other1": "location"}.get(s.name, s.name)) for s in named.systems.values()]
        assert run_check_of(one, luong, Evidence(systems, evidence.source_words, SETTINGS)).verdict == expected


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"systems": {"attention": ["a", "b"], "fixed": ["none"]}}, "no system named a or b"),
        ({"metric": "chrf"}, "chrf was not scored"),
        ({"metric": "aer"}, "alignment was not measured"),
        ({"terms": [{"weight": 1, "system": "fixed", "words": [80, None]}]}, r"no two sentences of 80\+ source words"),
        ({"terms": [{"weight": 1, "system": "fixed", "words": "beyond"}]}, "longest training sentence is not known"),
        ({"terms": [], "not_measured": "nothing here does that"}, "nothing here does that"),
    ],
)
def test_not_applicable_says_what_is_missing(evidence, changes, reason):
    result = run_check(check(**changes), evidence)
    assert (result.verdict, result.value) == ("not applicable", None)
    assert re.search(reason, result.ours)


def test_beyond_is_beyond_the_roles_own_training(evidence):
    known = with_facts(evidence, other1={"trained_words": 25}, none={"trained_words": 25})
    terms = [{"weight": 1, "system": "attention", "words": "beyond"}, {"weight": -1, "system": "fixed", "words": "beyond"}]
    expected = evidence.difference("other1", "none", "bleu", Bucket(26)).value
    assert run_check(check(terms=terms), known).value == pytest.approx(expected)


def test_alignment_errors_are_compared_over_seeds(evidence):
    rates = {"other1": {"alignment_error_rates": [0.2, 0.22, 0.21]}, "none": {"alignment_error_rates": [0.5, 0.52, 0.51]}}
    known = {name: {**facts, "alignment_half_width": 0.01} for name, facts in rates.items()}
    result, unknown = (
        run_check(check(metric="aer", expect="below"), with_facts(evidence, **facts)) for facts in (known, rates)
    )
    assert result.value == unknown.value == pytest.approx(-0.3)
    assert result.verdict == "pass"
    assert (unknown.verdict, unknown.low) == ("undecided", None)  # nobody knows what other sentences would say


def test_slope_checks_are_the_bottleneck_index(evidence):
    assert run_check(check(metric="slope"), evidence).value == evidence.difference("other1", "none", SLOPE).value


def test_single_seeds_lean(simulate, world):
    evidence = Evidence(*simulate(world(), 1, seeds=(1, 1), advantage=0.3), SETTINGS)
    assert run_check(check(), evidence).verdict == "leans pass"
    assert run_check(check(expect="below"), evidence).verdict == "leans fail"
    assert "seed variance not known" in run_check(check(), evidence).ours
    lone = Evidence(*simulate(world(), 1, seeds=(3, 1), advantage=0.3), SETTINGS)  # a second seed, and still nothing to borrow
    assert "seed variance not known" in run_check(check(), lone).ours


def test_heads_of_an_rnn_test_no_claim_about_self_attention(papers, simulate, world):
    systems, lengths = simulate(world(), 1, advantage=0.3)
    one_head = next(each for each in papers.checks if each.id == "vaswani-one-head")
    for positions, expected in (({}, "not applicable"), ({"positions": "sinusoidal"}, "pass")):
        named = [
            dataclasses.replace(system, name=name, facts={"pair": ("en", "de"), "natural": True, **positions})
            for system, name in zip(systems, ("heads-1", "heads-8"), strict=True)
        ]
        evidence = Evidence(named, lengths, SETTINGS)
        assert run_check_of(one_head, papers.papers["vaswani2017"], evidence).verdict == expected


def test_all_checks_of_the_file_run(papers, simulate, world):
    systems, lengths = simulate(world(), 1, seeds=(2, 2))
    facts = {"pair": ("en", "fr"), "natural": True, "trained_words": 50}
    renamed = [
        dataclasses.replace(systems[0], facts={**facts, "score": "none"}),
        dataclasses.replace(systems[1], name="additive", facts={**facts, "score": "additive", "placement": "before"}),
    ]
    verdicts = {result.id: result.verdict for result in run_checks(papers, Evidence(renamed, lengths, SETTINGS))}
    assert verdicts["attention-helps"] in {"pass", "fail", "undecided", "contradicted"}
    assert verdicts["attention-holds"] == "not applicable"  # nothing above 50 words
    assert verdicts["vaswani-one-head"] == "not applicable"
    assert verdicts["britz-attention-needed"] == "analogue"  # another pair, another width


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
    with pytest.raises(UserError, match="no such file"):
        load_papers(tmp_path / "papers.yaml")


def test_the_numbers_of_papers_say_where_they_are_from(papers):
    for number in (number for paper in papers.papers.values() for number in paper.numbers):
        assert (
            {"where", "row", "value", "seen_in_source"}
            <= set(number)
            <= {"where", "row", "value", "seen_in_source", "unit", "sd"}
        )
        assert isinstance(number["value"], float | int)


def test_the_file_names_known_roles_and_papers_and_measures_or_says_why_not(papers):
    for each in papers.checks:
        assert each.paper in papers.papers
        assert {term.system for term in each.terms} <= set(each.systems), each.id
        assert {*each.requires, *each.setting} <= {*each.systems, "all"}, each.id
        assert bool(each.terms) != bool(each.not_measured), each.id
