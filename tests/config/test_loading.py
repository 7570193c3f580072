"""A mistake in a study file is one line with its place and a way out; what systems share is merged as written."""

import json
import re
from itertools import permutations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_evaluation, load_study, merge, parse_override, part_from, plain
from seq2seq.config.mistakes import KNOWN_AS
from seq2seq.config.study import RunSettings, StudyHeader
from seq2seq.run.folder import dump_yaml

GOOD = """\
question: Which?
base:
  data: {corpus: grammar}
  model:
    encoder: {hidden_size: 32}
    attention: {score: none}
  training:
    learning_rate: 1e-3
systems:
  none: {}
  additive:
    model:
      attention: {score: additive}
  transformer:
    model:
      encoder: {kind: transformer}
      decoder: {kind: transformer}
      attention: {score: scaled}
"""


@pytest.fixture
def study(tmp_path):
    def write(text, *overrides):
        path = tmp_path / "study.yaml"
        path.write_text(text, encoding="utf-8")
        return load_study(path, overrides)

    return write


def test_systems_are_the_base_and_their_own_lines(study):
    loaded = study(GOOD)
    assert loaded.name == "study"
    assert list(loaded.systems) == ["none", "additive", "transformer"]
    assert loaded.systems["none"].model.attention.score.kind == "none"
    assert loaded.systems["additive"].model.attention.score.kind == "additive"
    assert loaded.systems["additive"].model.encoder.hidden_size == 32
    assert loaded.systems["none"].training.learning_rate == 0.001


def test_a_part_whose_kind_changes_is_replaced_whole(study):
    encoder = study(GOOD).systems["transformer"].model.encoder
    assert encoder.kind == "transformer"
    assert not hasattr(encoder, "bidirectional")


def test_overrides_apply_to_every_system(study):
    loaded = study(GOOD, "training.max_steps=7", "training.seeds=[3, 4]", "model.attention.score=dot")
    assert {s.training.max_steps for s in loaded.systems.values()} == {7}
    assert {s.training.seeds for s in loaded.systems.values()} == {(3, 4)}
    assert {s.model.attention.score.kind for s in loaded.systems.values()} == {"dot"}


ONE_STACK = """\
base: {data: {corpus: grammar}}
systems:
  s: {model: {architecture: decoder_only, positions: rope}}
"""


@pytest.mark.parametrize(
    ("overrides", "kept"),
    [
        (["positions.max_positions=20", "positions.kind=learned"], {"kind": "learned", "max_positions": 20}),
        (["positions.max_positions=20", "positions=learned"], {"kind": "learned", "max_positions": 20}),
        (["positions.max_positions=20", "positions={kind: learned}"], {"kind": "learned", "max_positions": 20}),
        (
            ["positions.max_positions=20", "positions=learned", "architecture=decoder_only"],
            {"kind": "learned", "max_positions": 20},
        ),
        (["self_attention.mechanism.width=3", "self_attention.mechanism.kind=window", "positions=none"], {"kind": "none"}),
    ],
)
def test_the_order_of_overrides_loses_no_setting(study, overrides, kept):
    for order in permutations(f"model.{override}" for override in overrides):
        loaded = study(ONE_STACK, *order)
        model = loaded.systems["s"].model
        assert model.positions.model_dump() == kept
        if "mechanism" in overrides[0]:
            assert model.self_attention.mechanism.model_dump() == {"kind": "window", "width": 3}
        assert load_study(loaded.path, loaded.overrides) == loaded  # as a child process reads them


@pytest.mark.parametrize("order", [*permutations(["evaluation.buckets.count=4", "evaluation.buckets.kind=equal_count"])])
def test_the_order_of_overrides_of_scoring_loses_no_setting(study, order):
    assert load_evaluation(order).buckets.count == study(GOOD, *order).header.evaluation.buckets.count == 4


def test_the_last_override_of_a_setting_wins(study):
    order = ["positions=learned", "positions.max_positions=20", "positions.max_positions=30", "positions.kind=learned"]
    assert study(ONE_STACK, *(f"model.{override}" for override in order)).systems["s"].model.positions.max_positions == 30
    assert study(ONE_STACK, "model.positions=learned", "model.positions=alibi").systems["s"].model.positions.kind == "alibi"
    with pytest.raises(UserError, match=r"--set model.positions.max_positions: unknown key"):  # said, not dropped in silence
        study(ONE_STACK, "model.positions.max_positions=20", "model.positions=alibi")


def test_somebodys_own_class_may_be_given_options(study):
    score = study(GOOD, "model.attention.score=my.scores:Mine", "model.attention.score.options.depth=2").systems["none"].model
    assert (score.attention.score.path, score.attention.score.options) == ("my.scores:Mine", {"depth": 2})


def broken(old, new):
    assert old in GOOD
    return GOOD.replace(old, new)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            broken("attention: {score: additive}", "atention: {score: additive}"),
            r"study.yaml:13: systems.additive.model.atention: unknown key; did you mean 'attention'\?",
        ),
        (
            broken("hidden_size: 32", "hiden_size: 32"),
            r"study.yaml:5: base.model.encoder.hiden_size: unknown key; did you mean 'hidden_size'\?",
        ),
        (
            broken("score: additive", "score: aditive"),
            r"systems.additive.model.attention.score: unknown value 'aditive'; did you mean 'additive'\?",
        ),
        (broken("hidden_size: 32", "hidden_size: -1"), r"base.model.encoder.hidden_size: .*greater than or equal to 1, not -1"),
        (broken("hidden_size: 32", "hidden_size: many"), r"base.model.encoder.hidden_size: .*valid integer.*'many'"),
        (broken("hidden_size: 32", "cell: rnn"), r"base.model.encoder.cell: unknown value 'rnn'; .*gru"),
        (broken("corpus: grammar", "corpora: grammar"), r"data.corp\w+: "),
        (broken("training:", "trainign:"), r"base.trainign: unknown key; did you mean 'training'\?"),
        (broken("question:", "qestion:"), r"study.yaml:1: qestion: unknown key; did you mean 'question'\?"),
        (broken("  additive:\n", "  none:\n"), r"study.yaml:11: not valid YAML: found duplicate key \"none\""),
        (broken("  none: {}", "  none: 3"), r"systems.none: expected the settings that it changes, found 3"),
        (broken("  none: {}", "  ../x: {}"), r"a system's name is a folder's name"),
        (broken("base:", "base: 3\nrest:"), r"base: expected a mapping of settings, found 3"),
        (broken("attention: {score: additive}", "attention: dot"), r"attention: .*, such as {score: dot}, found 'dot'"),
        (broken("attention: {score: additive}", "attention:"), r"attention: expected a mapping of settings, found None"),
        (broken("learning_rate: 1e-3", "seeds:"), r"seeds: expected a list, found nothing$"),
        ("base: {}\n", r"systems: expected at least one named system"),
        ("- 1\n", r"a study is a mapping"),
        ("a: [1\n", r"not valid YAML"),
        (broken("learning_rate: 1e-3", "seeds: [1, 1]"), r"seeds must be distinct"),
        (broken("learning_rate: 1e-3", "weight_decay: 0.1"), r"weight_decay applies to optimizer adamw only"),
        (GOOD + "match: {parameters: 1%, to: nobody}\n", r"match.to: unknown system 'nobody'"),
        (GOOD + "evaluation: {baseline: non}\n", r"evaluation.baseline: unknown system 'non'; did you mean 'none'\?"),
        (
            GOOD + "evaluation: {buckets: {edges: 5}}\n",
            r"evaluation.buckets.edges: expected a list, for example \[5\]; found 5",
        ),
        (GOOD + "jobs: 0\n", r"study.yaml:\d+: jobs: input should be greater than or equal to 1, or auto, not 0"),
        *(
            (broken("  none: {}", f"  {name}: {{}}"), message)
            for name, message in [
                ("report", "something else is called so"),
                ("Statistics", "something else is called so"),
                ("cluster", "something else is called so"),
                ("study.yaml", "something else is called so"),
                ("costs.json", "something else is called so"),
                ("-x", "no '.' or '-' in front"),
                ("x" * 101, "at most 100 letters, not 101"),
                ("ä" * 99, "at most 100 letters"),  # a folder's name is limited in bytes
            ]
        ),
    ],
)
def test_mistakes(study, text, message):
    with pytest.raises(UserError, match=message) as error:
        study(text)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("training.max_steps", r"--set training.max_steps: expected PATH=VALUE"),
        ("evaluatoin.seed=2", r"--set evaluatoin: unknown key; did you mean 'evaluation'\?"),
        ("base.training.max_steps=3", r"--set base: goes over every system; name the setting alone"),
        ("systems.none.search.beam=3", r"--set systems: goes over every system"),
        ("training.max_stepz=3", r"--set training.max_stepz: unknown key; did you mean 'max_steps'\?"),
        ("training.max_steps=soon", r"--set training.max_steps: .*valid integer"),
        ("training.max_steps=[", r"--set training.max_steps=\[: the value is not valid YAML"),
        ("training.seeds=3", r"--set training.seeds: expected a list, for example \[3\] for the one seed of that number"),
        ("training.seeds=null", "--set training.seeds: expected a list, found nothing$"),
        ("training.seeds=[-1]", r"--set training.seeds.0: .*greater than or equal to 0"),
        ("training.seeds=[9223372036854775808]", r"--set training.seeds.0: .*less than 9223372036854775808"),
        ("training.betas=[0.9, 1]", r"--set training.betas.1: .*less than 1"),
        ("training.learning_rate=.inf", r"--set training.learning_rate: .*finite number"),
        ("search.length_penalty=.nan", r"--set search.length_penalty: .*finite number"),
        ("training={best_by: bleu, validation_bleu_sentences: 0}", r"best_by: bleu needs translations to score"),
        (
            "training={schedule: linear, warmup_steps: 20, max_steps: 10}",
            r"linear schedule ends at max_steps 10, before the warm-up of 20",
        ),
        ("data.test=[]", r"--set data: test names no split"),
        ("evaluation.buckets.edges=10", r"--set evaluation.buckets.edges: expected a list"),
        ("model.attention.window={width: 3}", r"window: says no kind; write for example {kind: local_m, width: 3}"),
        ("training.clip_norm=true", r"--set training: clip_norm: expected a value, not true"),
        ("training.seeds=[true]", r"--set training.seeds.0: .*valid integer"),
        ("training.deterministic=1", r"--set training: deterministic: expected true or false, not 1"),
        ("training.threads=0", r"^--set training.threads: input should be greater than or equal to 1, or auto, not 0"),
        ("jobs=none", r"--set jobs: input should be a valid integer, or auto, not .none."),
    ],
)
def test_mistakes_on_the_command_line(study, override, message):
    with pytest.raises(UserError, match=message):
        study(GOOD, override)


def test_a_fault_of_the_whole_names_the_overrides_only_if_the_file_has_none(study):
    unmarked = broken("{score: additive}", "{score: additive, normaliser: hierarchical}")
    with pytest.raises(UserError, match=r"study.yaml:11: systems.additive: model.attention.normaliser: hierarchical needs"):
        study(unmarked, "training.max_steps=4")
    gates = broken("{score: additive}", "{score: additive, gates: {penalty: 0}}")
    with pytest.raises(UserError, match=r"study.yaml:13: systems.additive.model.attention: gates: a single head"):
        study(gates, "model.attention.dropout=0.2")
    two = ("tokenizer.joint=false", "model={tie: all, encoder: {embedding_size: 8}, decoder: {embedding_size: 8}}")
    paths = "tokenizer.joint, model.tie, model.encoder.embedding_size, model.decoder.embedding_size"
    with pytest.raises(UserError, match=f"^--set {paths}: model.tie: all shares one table"):
        study(GOOD.partition("  transformer:")[0], *two)
    with pytest.raises(UserError, match=r"^--set data: test names no split"):  # whatever else is wrong in the file
        study(GOOD.replace("learning_rate: 1e-3", "max_steps: 0"), "data.test=[]")
    with pytest.raises(UserError, match=r"^--set training.max_steps: .*not -1"):
        study(GOOD.replace("learning_rate: 1e-3", "max_steps: 0"), "training.max_steps=-1")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (
            "tokenizer: {vocabulary_size: 3}",
            "tokenizer.vocabulary_size: input should be greater than or equal to 8, or auto, not 3",
        ),
        ("tokenizer: {vocabulary_size: 9.5}", "tokenizer.vocabulary_size: input should be a valid integer, or auto, not 9.5"),
        ("training: {threads: 0}", "training.threads: input should be greater than or equal to 1, or auto, not 0"),
        ("training: {threads: many}", "training.threads: input should be a valid integer, or auto, not 'many'"),
        ("training: {betas: [0.9]}", "training.betas.1: missing; it has no default"),
        ("data: {test: a b}", "data.test: string should match"),
        ("model: {attention: {score: {kind: custom}}}", "model.attention.score.path: missing; it has no default"),
        (
            "model: {attention: {score: {kind: custom, path: 'a:B', options: {x: [1]}}}}",
            "model.attention.score.options.x: input should be a valid boolean, or a valid integer, or a valid number, or a valid "
            "string, not [1]",
        ),
        (
            "model: {attention: {score: {kind: gated, members: [dot, {kind: mlp, layers: 1}, dot]}}}",
            "model.attention.score.members.1.layers: input should be greater than or equal to 2, not 1",
        ),
        (
            "model: {attention: {score: {kind: gated, members: [dot, {kind: mlp, layrs: 3}]}}}",
            "model.attention.score.members.1.layrs: unknown key; did you mean 'layers'?",
        ),
    ],
)
def test_a_mistake_is_named_by_the_keys_of_the_file_and_by_all_that_is_allowed(study, settings, message):
    with pytest.raises(UserError, match=re.escape(f"study.yaml:4: systems.s.{message}")):
        study(f"base: {{data: {{corpus: grammar}}}}\nsystems:\n  s:\n    {settings}\n")


def test_a_missing_file_suggests_its_neighbour(tmp_path):
    (tmp_path / "demo.yaml").write_text(GOOD)
    with pytest.raises(UserError, match=r"dmo.yaml: no such file; did you mean .*demo.yaml\?"):
        load_study(tmp_path / "dmo.yaml")


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "x.yaml").write_bytes(b"a: \xff\xfe")
    with pytest.raises(UserError, match="not UTF-8 text"):
        load_study(tmp_path / "x.yaml")


def test_yaml_is_one_point_two(study):
    loaded = study(broken("question: Which?", "question: no").replace("1e-3", "1e-3"))
    assert loaded.header.question == "no"  # YAML 1.1 would say False


def test_percentages(study):
    assert study(GOOD + "match: {parameters: 1%}\n").header.match.parameters == pytest.approx(0.01)


def test_a_resolved_config_reads_back_equal(study, tmp_path):
    for settings in study(GOOD).systems.values():
        path = tmp_path / "config.yaml"
        path.write_text(dump_yaml(settings.model_dump(mode="json")))
        from seq2seq.config.loading import read_yaml

        assert part_from(RunSettings, read_yaml(path), "config.yaml") == settings


scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
trees = st.recursive(scalars, lambda children: st.dictionaries(st.text(), children) | st.lists(children), max_leaves=15)


@given(trees)
def test_merging_nothing_changes_nothing(tree):
    assert merge(tree, plain(tree)) == tree
    assert merge({"a": tree}, {}) == {"a": tree}


@given(trees)
def test_any_tree_is_refused_or_loaded_without_a_traceback(tree):
    with pytest.raises(UserError) as error:  # no tree is a corpus name and a model at once
        part_from(RunSettings, {"data": tree, "model": tree}, "x")
    assert "\n" not in str(error.value)


def test_parse_override_nests():
    assert parse_override("a.b.c=[1, x]") == {"a": {"b": {"c": [1, "x"]}}}


@pytest.mark.parametrize(
    ("override", "meant"),
    [
        ("model.attention.score=general", "bilinear"),
        ("model.attention.score=luong", "bilinear"),
        ("model.attention.score=Bahdanau", "additive"),
        ("model.decoder={placement: bahdanau}", "before"),
        ("training.schedule=noam", "inverse_root"),
        ("model.encoder=nmt", "rnn"),
        ("model.encoder.kind=vaswani", "transformer"),
        ("training.lr=1e-3", "learning_rate"),
        ("search.beam_size=4", "beam"),
    ],
)
def test_names_of_other_trainers_and_papers_are_understood(study, override, meant):
    with pytest.raises(UserError, match=rf"unknown \w+.*did you mean '{meant}'\?"):
        study(GOOD, override)


def test_every_known_name_leads_to_a_name_that_exists():
    words = set(
        re.findall(r"[a-z]\w+", json.dumps(StudyHeader.model_json_schema()) + json.dumps(RunSettings.model_json_schema()))
    )
    assert {name for names in KNOWN_AS.values() for name in names} <= words
    assert not set(KNOWN_AS) & {"dot", "scaled", "additive", "bilinear", "rnn", "transformer"}


def test_a_single_word_need_not_stand_in_brackets(study):
    loaded = study(GOOD + "evaluation: {metrics: bleu, bottleneck_score: bleu, buckets: {edges: [5]}}\n", "data.test=test")
    assert loaded.systems["none"].data.test == ("test",)
    assert (loaded.header.evaluation.metrics, loaded.header.evaluation.buckets.edges) == (("bleu",), (5,))
    assert study(GOOD, "evaluation.buckets.count=4").header.evaluation.buckets.count == 4


def test_an_override_of_one_system_is_not_judged_against_the_others(study, tmp_path):
    study(GOOD)
    loaded = load_study(tmp_path / "study.yaml", ["model.attention.heads=2"], ["additive"])
    assert loaded.systems["additive"].model.attention.heads == 2
    assert loaded.systems["none"].model.attention.heads == 1
    with pytest.raises(UserError, match="heads does not apply to score: none"):
        load_study(tmp_path / "study.yaml", ["model.attention.heads=2"])


def test_a_trial_may_end_within_the_warm_up(study):
    text = broken("learning_rate: 1e-3", "schedule: cosine\n    warmup_steps: 50\n    max_steps: 100")
    assert study(text, "training.max_steps=10").systems["none"].training.max_steps == 10
    with pytest.raises(UserError, match="before the warm-up of 200 steps"):
        study(text, "training.warmup_steps=200")


def test_one_table_for_two_languages_needs_one_vocabulary(study):
    same = "model={tie: all, encoder: {embedding_size: 8}, decoder: {embedding_size: 8}}"
    assert study(GOOD.partition("  transformer:")[0], same).systems["none"].model.tie == "all"
    with pytest.raises(UserError, match=r"tie: all shares one table between both languages, but tokenizer.joint is false"):
        study(GOOD.partition("  transformer:")[0], same, "tokenizer.joint=false")
