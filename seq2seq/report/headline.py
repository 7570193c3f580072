"""The report in words, computed from its numbers."""

from collections.abc import Iterator, Sequence
from statistics import median

from seq2seq.report.crowd import is_crowd, named
from seq2seq.report.schema import Report
from seq2seq.report.values import NONE, Cell, Measured, bleu, share
from seq2seq.run.folder import run_name
from seq2seq.scoring.bottleneck import FLOOR, at_floor
from seq2seq.scoring.evidence import LEAST_BLEU
from seq2seq.scoring.length import HalfLength, LengthEffect
from seq2seq.scoring.results import BucketScores, Scores


def lengths_in_words(minimum: int, maximum: int | None, unit: str) -> str:
    """A bucket as a reader would say it: `1 to 10 source words`, `more than 40 source words`."""
    if maximum is None:
        return f"more than {minimum - 1}{unit}" if minimum > 1 else "all lengths"
    return f"{minimum} to {maximum}{unit}" if minimum < maximum else f"{minimum}{unit}"


def kept_share(effect: LengthEffect | None, *, above_chance: bool = False) -> Cell:
    """`41 % [37, 46]`, what is left of a score on long sources; a dash for a system that translates nothing of either."""
    kept = None if effect is None or translates_nothing(effect) else effect.above_chance if above_chance else effect.retention
    return NONE if kept is None else share(kept.value, kept.low, kept.high)


def translates_nothing(effect: LengthEffect | None) -> bool:
    """Whether a system scores next to nothing on short and on long sources, so that length can take nothing from it."""
    return effect is not None and max(effect.short, effect.long) < LEAST_BLEU


def half_length_in_words(found: HalfLength | None, unit: str) -> Cell:
    """`17 words [15, 22]`, or `not reached up to 55 words, at least 40`; a dash where there is no score to halve."""
    if found is None or found.start < LEAST_BLEU:
        return NONE
    if found.words is not None and found.high is not None:
        return Measured(found.words, found.low, found.high, digits=0, unit=f" {unit}")
    said = f"not reached up to {found.longest:.0f} {unit}" if found.words is None else f"{found.words:.0f} {unit}"
    return said if found.low is None else f"{said}, at least {found.low:.0f}"


MEASURES = {
    "points": "the gap in points",
    "retention": "retention",
    "log_ratio": "the log-ratio",
    "half_length": "the half-length",
    "bottleneck_index": "the bottleneck index",
}
"""Measures of what length does, as `evaluation.primary` names them and as readers know them."""


MANY_EMPTY = 0.1
"""Share of empty translations above which a reader is told of them."""


def headline(report: Report) -> str:
    """Scores on long and short sentences, per system, and whether the gap to the baseline grows; nobody is called best."""
    if report.probe is not None:
        return _probe(report) + _seeds(report)
    if report.baseline is None or len(report.systems) < 2:
        scores = ", ".join(f"`{name}` {bleu(system)}" for name, system in report.systems.items())
        return f"On {report.n:,} sentences of {report.split}: {scores} BLEU.{_seeds(report)}"
    powered = [bucket for bucket in report.systems[report.baseline].buckets if not bucket.underpowered]
    if not powered:
        return f"On all lengths: {_line(report, None)}. No length bucket has enough sentences for a verdict.{_seeds(report)}"
    ends = [powered[-1], *powered[:-1][:1]]  # the longest, and the shortest if it is another one
    lines = [f"{_at(bucket, report.length_unit)} {_line(report, bucket)}." for bucket in ends]
    return " ".join(lines) + _growth(report) + _seeds(report)


def answer(report: Report) -> str:
    """The study's answer in one sentence: what a system adds to the baseline on short and on long sources, and what each keeps.

    The system is `additive`, or else the one with the most seeds and the highest score. Without two systems and two lengths
    it is the first sentence of the headline.
    """
    effects = {name: system.length for name, system in report.systems.items() if system.length is not None}
    base = effects.pop(str(report.baseline), None)
    if report.probe is not None or base is None or not effects:
        first, _, rest = report.headline.partition(". ")
        return f"{first}." if rest else first
    names = [name for name in effects if name == "additive"] or list(effects)
    name = max(names, key=lambda each: (len(report.systems[each].seeds), report.systems[each].bleu))
    ours = effects[name]
    gaps = (ours.short - base.short, ours.long - base.long)
    short, long = (f"{abs(gap):.1f} BLEU {'more' if gap > 0 else 'less'}" for gap in gaps)
    text = (
        f"`{name}` scores {short} than `{report.baseline}` on sources of up to {ours.short_max} {report.length_unit} and "
        f"{long} above {ours.long_min - 1}"
    )
    if nothing := [f"`{each}`" for each, found in ((name, ours), (report.baseline, base)) if translates_nothing(found)]:
        return f"{text}; {' and '.join(nothing)} translated next to nothing, of which no share can be kept."
    kept, base_kept = (f"{100 * each.retention.value:.0f} %" for each in (ours, base))
    loses = _LOSES.get(ours.log_ratio.verdict if ours.log_ratio else "", "which loses more in proportion is undecided")
    if (comparison := report.systems[name].comparison) and comparison.verdict == "undecided":
        loses += "; who scores more on all lengths is undecided"
    above = [100 * each.above_chance.value for each in (ours, base) if each.above_chance]
    by_chance = f" (of what is above chance {above[0]:.0f} and {above[1]:.0f} %)" if len(above) == 2 else ""
    return f"{text}, where it keeps {kept} of its score and `{report.baseline}` {base_kept}{by_chance}: {loses}."


_LOSES = {
    "better": "in proportion it loses less",
    "worse": "in proportion it loses more",
    "leans better": "in proportion it seems to lose less",
    "leans worse": "in proportion it seems to lose more",
    "small sample": "too few sentences for a verdict",
}


def _probe(report: Report) -> str:
    """Shares of answers that are right in every word, on questions as long as those of training and on longer ones."""
    assert report.probe is not None
    scores = report.probe.systems
    within, beyond = (
        ", ".join(f"`{name}` {share(right, digits=1)}" for name in scores if (right := getattr(scores[name], part)) is not None)
        for part in ("within", "beyond")
    )
    about = (
        f"Answers to probe {report.probe.task} that are right in every word, up to the {report.probe.trained} words of training"
    )
    return f"{about}: {within}." + (f" On longer questions: {beyond}." if beyond else "")


def _at(bucket: BucketScores, unit: str) -> str:
    """`Above 40 source words,` or `At 1 to 10 source words,`."""
    if bucket.max is None and bucket.min > 1:
        return f"Above {bucket.min - 1} source {unit},"
    return f"At {lengths_in_words(bucket.min, bucket.max, f' source {unit}')},"


def _line(report: Report, bucket: BucketScores | None) -> str:
    """`none` scores 8.1 BLEU [..], `additive` 92.0 [..]` on a bucket or on all lengths, the baseline first.

    Of a crowd the ends and the middle of all others: more numbers are no sentence.
    """
    found: dict[str, Scores] = {
        name: system if bucket is None else next(b for b in system.buckets if (b.min, b.max) == (bucket.min, bucket.max))
        for name, system in report.systems.items()
    }
    start = f"`{report.baseline}` scores {bleu(found.pop(str(report.baseline)))} BLEU"
    if not is_crowd(report):
        return ", ".join([start, *(f"`{name}` {bleu(scores)}" for name, scores in found.items())])
    order = sorted(found, key=lambda name: -found[name].bleu)
    middle = median(scores.bleu for scores in found.values())
    first, last = (f"`{name}` {bleu(found[name])}" for name in (order[0], order[-1]))
    return f"{start}, the {len(found)} other systems from {first} down to {last}, half of them {middle:.1f} or more"


def _growth(report: Report) -> str:
    """Share of the short-sentence score that every system keeps, and how many lose less than the baseline with length."""
    effects = {name: system.length for name, system in report.systems.items() if system.length is not None}
    compared = {name: each for name, each in effects.items() if each.log_ratio is not None and each.points is not None}
    if not effects:
        return ""
    first, text = next(iter(effects.values())), ""
    if not is_crowd(report):
        kept = [f"`{name}` {kept_share(effects[name])}" for name in (str(report.baseline), *compared)]
        lengths = f"sources of at most {first.short_max} {report.length_unit} to sources of more than {first.long_min - 1}"
        text = f" Share of its BLEU that a system keeps from {lengths}: {', '.join(kept)}."
    counts = ", ".join(
        f"{measure} {_lose_less([getattr(each, key).verdict for each in compared.values()])}"
        for key, measure in (("log_ratio", "in proportion"), ("points", "in points"))
    )
    caution = f" {report.bottleneck_caution}" if report.bottleneck_caution else ""
    return f"{text} Systems that lose less with length than `{report.baseline}`: {counts}.{caution}"


def _lose_less(verdicts: Sequence[str]) -> str:
    """`2 of 3`, `2 of 3 (1 undecided)`; the others lose more."""
    less = sum(verdict in ("better", "leans better") for verdict in verdicts)
    words = {"undecided": "undecided", "small sample": "with too few sentences"}
    rest = ", ".join(f"{count} {said}" for verdict, said in words.items() if (count := verdicts.count(verdict)))
    return f"{less} of {len(verdicts)}" + (f" ({rest})" if rest else "")


def _seeds(report: Report) -> str:
    single = [f"`{name}`" for name, system in report.systems.items() if system.single_seed]
    if not single:
        return ""
    who = "every system" if len(single) == len(report.systems) else named(single, len(report.systems))
    if lends_seed_variance(report):
        return f" n=1 seed for {who}: seed variance is taken from the other systems."
    return f" n=1 seed for {who}: intervals cover the choice of sentences, not of the seed, so differences only lean."


def lends_seed_variance(report: Report) -> bool:
    """Whether a single seed has a seed variance to borrow, which takes two systems of several seeds."""
    return sum(not system.single_seed for system in report.systems.values()) > 1


def bottleneck_caution(report: Report) -> str:
    """Say when the baseline is so low at most lengths that the gap to it cannot grow by its falling; empty otherwise."""
    scores = [bucket.bleu for bucket in report.systems[report.baseline].buckets] if report.baseline else []
    if len(report.systems) < 2 or not at_floor(scores):
        return ""
    low = sum(score < FLOOR for score in scores)
    return (
        f"`{report.baseline}` scores below {FLOOR:g} BLEU in {low} of {len(scores)} length buckets, so it has nothing left to "
        "lose in points with length: growth in points and the bottleneck index say little here."
    )


def reading_notes(report: Report) -> Iterator[str]:
    """Notes for a reader who compares, beside the notes of the statistics."""
    if len(report.systems) > 1:
        yield report.fairness.sentence
    yield from _learning_notes(report)
    if report.baseline is not None and len(report.systems) > 1:
        if report.primary in MEASURES:
            yield f"Planned before the run: {MEASURES[report.primary]}."
        else:
            yield "No measure of what length does was planned (evaluation.primary): read points and proportion together."
    yield from _search_notes(report)
    yield from _empty_notes(report)
    yield from _seen_notes(report)
    yield from _text_notes(report)
    yield from _machine_notes(report)
    yield from _arithmetic_notes(report)
    runs = [(name, run) for name, system in report.systems.items() for run in system.runs if run.status != "finished"]
    if unfinished := [f"{run_name(name, run.seed)} ({run.status})" for name, run in runs]:
        yield f"Scored although training did not finish: {', '.join(unfinished)}."
    absent: dict[str, list[str]] = {}
    for run in report.missing:
        if run.analysis is None:  # the part of the report that has the analysis says what it lacks
            absent.setdefault(run.reason, []).append(run_name(run.system, run.seed))
    for reason, names in absent.items():
        yield f"Missing: {', '.join(names)}: {reason}."
    if small := [b for b in next(iter(report.systems.values())).buckets if b.underpowered]:
        unit = f" source {report.length_unit}"
        which = ", ".join(f"{lengths_in_words(b.min, b.max, unit)} (n={b.n})" for b in small)
        yield f"Small samples, fewer than {report.evaluation.get('minimum_bucket')} sentences, so without a verdict: {which}."
    if not report.texts_available:
        yield "The corpus was not at hand: scores come from sentence statistics kept beside the runs."


def _text_notes(report: Report) -> Iterator[str]:
    """Say which runs learned from other text than most with the same settings of data, as after a change of the corpus."""
    texts = report.environment_differences.get("fingerprints.train", {})
    alike: dict[str, dict[str, list[str]]] = {}
    for name, system in report.systems.items():
        asked = repr([each for each in system.changes.items() if each[0].startswith(("data.", "tokenizer."))])
        for run in (run_name(name, run.seed) for run in system.runs):
            if text := texts.get(run):
                alike.setdefault(asked, {}).setdefault(text, []).append(run)
    others = [run for found in alike.values() for runs in sorted(found.values(), key=len)[:-1] for run in runs]
    if others:
        yield f"Trained on other text than the rest, though their settings ask for the same: {', '.join(others)}."


def _machine_notes(report: Report) -> Iterator[str]:
    """Say where systems were trained on other machines, for then minutes are the machine's as much as the system's."""
    kinds = report.environment_differences.get("processor", {})
    by_system = {frozenset(kinds.get(run_name(name, r.seed)) for r in system.runs) for name, system in report.systems.items()}
    if len(by_system) > 1:
        machines = "; ".join(sorted({str(kind) for kind in kinds.values()}))
        yield f"Systems were not all trained on the same kinds of machine ({machines}), so wall-clock does not compare them."


def _arithmetic_notes(report: Report) -> Iterator[str]:
    titles = {"precision": "", "library": "", "threads": "threads "}
    parts = {key: report.environment_differences.get(f"arithmetic.{key}", {}) for key in titles}
    by_kind: dict[str, list[str]] = {}
    for name in dict.fromkeys(name for values in parts.values() for name in values):
        kind = ", ".join(f"{titles[key]}{found.get(name) or 'unknown'}" for key, found in parts.items() if found)
        by_kind.setdefault(kind, []).append(name)
    if len(by_kind) > 1:
        kinds = "; ".join(f"{kind}: {', '.join(runs)}" for kind, runs in by_kind.items())
        yield f"Runs were not all trained with one arithmetic, so equal seeds differ by more than their systems ({kinds})."


def _empty_notes(report: Report) -> Iterator[str]:
    """Which systems often wrote nothing, as a beam prefers while a system has hardly learned."""
    many = {name: system for name, system in report.systems.items() if system.empty > MANY_EMPTY * report.n}
    if many:
        told = named([f"{name} {system.empty:,.0f}" for name, system in many.items()], len(report.systems))
        searches = [run.decoding.get("search") or {} for system in many.values() for run in system.runs]
        greedy = any(search.get("beam", 1) > 1 for search in searches)
        advice = " Greedy search (search.beam: 1) seldom ends at once; see whether it does better." if greedy else ""
        yield f"Many of the {report.n:,} translations are empty: {told}.{advice}"


def _seen_notes(report: Report) -> Iterator[str]:
    def most(kind: str) -> int:
        key = f"seen_in_training.{report.split}.{kind}"
        return max([report.environment.get(key) or 0, *(n or 0 for n in report.environment_differences.get(key, {}).values())])

    if most("sources"):
        yield (
            f"{most('sources')} of the {report.n} source sentences stand in the training text too, {most('pairs')} of them "
            "with the same translation: scores on them say little about new sentences."
        )


def _learning_notes(report: Report) -> Iterator[str]:
    meanings = {
        "still improving": "Still improving when training ended, so longer training may raise the score",
        "at rest because the rate is zero": "At rest because the learning rate is zero (still improving before its decay), "
        "which does not show that learning was done",
    }
    for state, meaning in meanings.items():
        if names := [name for name, system in report.systems.items() if system.learning == state]:
            yield f"{meaning}: {named(names, len(report.systems))}."


def _search_notes(report: Report) -> Iterator[str]:
    if report.beam_sweep is None:
        return
    total, split = len(report.systems), report.beam_sweep.split
    found: dict[bool, list[str]] = {True: [], False: []}
    for name, points in report.beam_sweep.systems.items():
        for chosen in (point for point in points if point.chosen and name in report.systems):
            searched = [run.decoding.get("search") or {} for run in report.systems[name].runs]
            same = all((s.get("beam"), s.get("length_penalty")) == (chosen.beam, chosen.length_penalty) for s in searched)
            found[same].append(f"{name} beam {chosen.beam}, length penalty {chosen.length_penalty:g}")
    if found[True]:
        yield f"Search chosen on {split} for each system, and used for these scores: {named(found[True], total)}."
    if found[False]:
        told = named(found[False], total)
        yield f"Search chosen on {split}, but these scores were decoded otherwise (tune --apply): {told}."
