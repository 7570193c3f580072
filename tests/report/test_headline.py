"""What is said of shares and differences in words, also where nothing was translated."""

from seq2seq.report.exhibits import Exhibits
from seq2seq.report.headline import answer, half_length_in_words, kept_share, reading_notes
from seq2seq.report.markdown import markdown
from seq2seq.report.score_tables import contrast
from seq2seq.report.values import NONE


def test_nothing_is_said_to_be_kept_of_no_translation(built):
    effect = built.report.systems["additive"].length
    assert str(kept_share(effect)).endswith("]")
    assert kept_share(effect.model_copy(update={"short": 0.0, "long": 0.0})) == NONE
    assert kept_share(None) == NONE
    assert half_length_in_words(effect.half_length.model_copy(update={"start": 0.0}), "words") == NONE


def test_a_system_that_translates_nothing_has_no_log_ratio_and_no_index(built):
    report = built.report.model_copy(deep=True)
    measures = ("log_ratio", "points", "bottleneck_index")
    assert "Dashes" not in markdown(report, Exhibits(), [])
    report.systems["additive"].length.short = report.systems["additive"].length.long = 0.0
    shown = {name: [contrast(report, name, measure).text for measure in measures] for name in ("additive", "scaled", "none")}
    assert [text == NONE for text in shown["additive"]] == [True, False, True]
    assert NONE not in shown["scaled"]
    assert shown["none"] == [NONE] * 3
    assert "Dashes: below 0.1 BLEU there is nothing that length could take (additive)." in markdown(report, Exhibits(), [])


def test_the_answer_says_more_or_less_and_no_share_of_nothing(built):
    report = built.report.model_copy(deep=True)
    additive, none = (report.systems[name].length for name in ("additive", "none"))
    assert answer(report).startswith(
        f"`additive` scores {additive.short - none.short:.1f} BLEU more than `none` on sources of up to 20 words"
    )
    ours, theirs = (f"{100 * each.above_chance.value:.0f}" for each in (additive, none))
    assert f"(of what is above chance {ours} and {theirs} %)" in answer(report)
    assert "undecided" not in answer(report)
    report.systems["additive"].comparison.verdict = "undecided"
    assert answer(report).endswith("; who scores more on all lengths is undecided.")
    additive.short = additive.long = 0.0
    assert f"scores {none.short:.1f} BLEU less than `none`" in answer(report)
    assert answer(report).endswith("; `additive` translated next to nothing, of which no share can be kept.")


def test_a_run_on_other_training_text_is_named_unless_its_settings_ask_for_it(built):
    report = built.report.model_copy(deep=True)
    runs = [f"{name} seed {run.seed}" for name, system in report.systems.items() for run in system.runs]
    report.environment_differences["fingerprints.train"] = {**dict.fromkeys(runs, "old"), "scaled seed 1": "new"}
    assert [note for note in reading_notes(report) if "other text" in note] == [
        "Trained on other text than the rest, though their settings ask for the same: scaled seed 1."
    ]
    report.systems["scaled"].changes["data.max_words"] = 15
    report.environment_differences["fingerprints.train"] |= dict.fromkeys((run for run in runs if "scaled" in run), "new")
    assert not any("other text" in note for note in reading_notes(report))
