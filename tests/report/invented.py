"""An invented study: three systems whose errors grow with length as planted, sentences of made-up words."""

import json
import random
import shutil
from pathlib import Path

from seq2seq.corpus.prepare import SplitText

SYLLABLES = ["ka", "lo", "mi", "ten", "ru", "sol", "ve", "dar", "pi", "no"]
HOSTILE = "<script>window.broken=1</script>"
SENTENCES = 120


def _sentence(generator: random.Random, words: int) -> str:
    return " ".join("".join(generator.choices(SYLLABLES, k=generator.randint(1, 3))) for _ in range(words))


def _translate(generator: random.Random, reference: str, error: float) -> str:
    return " ".join(_sentence(generator, 1) if generator.random() < error else word for word in reference.split())


def invent_texts(sentences: int = SENTENCES) -> SplitText:
    generator = random.Random(5)
    lengths = [4 + (7 * index) % 57 for index in range(sentences)]
    sources = ["q" + _sentence(generator, words) for words in lengths]
    references = ["z" + _sentence(generator, words) for words in lengths]
    sources[3] = f"{HOSTILE} & {sources[3]}"
    references[3] = f"{HOSTILE} {references[3]}"
    return SplitText(sources, references, "")


def _attention(index: int, rows: int, columns: int, sharp: bool, text: tuple[str, str, str]) -> dict:
    def weights(count):
        raw = [[1 / (1 + (4 if sharp else 0) * abs(t * columns / count - s)) for s in range(columns)] for t in range(count)]
        return [[round(value / sum(row), 4) for value in row] for row in raw]

    source, reference, hypothesis = (line.split() for line in text)
    source, reference, hypothesis = source[: columns - 1], reference[: rows - 1], hypothesis[: rows - 1]
    return {
        "index": index,
        "source": [*("▁" + word for word in source), "</s>"],
        "hypothesis": [*("▁" + word for word in hypothesis), "</s>"],
        "weights": weights(len(hypothesis) + 1),
        "forced": {"reference": [*("▁" + word for word in reference), "</s>"], "weights": weights(len(reference) + 1)},
    }


ERRORS = {"none": (0.02, 0.011), "additive": (0.05, 0.001), "scaled": (0.1, 0.002)}
SEEDS = {"none": [1, 2], "additive": [1, 2], "scaled": [1]}


def write_run(folder: Path, system: str, seed: int, texts: SplitText, split: str = "test") -> None:
    generator = random.Random(f"{system}{seed}")
    base, growth = ERRORS[system]
    sources, references, _ = texts
    lines = [
        _translate(generator, reference, min(0.97, base + growth * len(source.split()) + 0.01 * seed))
        for source, reference in zip(sources, references, strict=True)
    ]
    lines[7] = "" if system == "none" else lines[7]
    place = folder / system / f"seed-{seed}"
    (place / "hypotheses").mkdir(parents=True)
    (place / "attention").mkdir()
    (place / "hypotheses" / f"{split}.txt").write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    facts = {"truncated": [9], "seconds": 3.5, "sentences": len(lines), "search": {"beam": 5, "length_penalty": 1.0}}
    (place / "hypotheses" / f"{split}.json").write_text(json.dumps(facts))
    score = {"none": "none", "additive": "additive", "scaled": "scaled"}[system]
    (place / "config.yaml").write_text(
        "model:\n  decoder: {kind: rnn, hidden_size: 32}\n"
        f"  attention:\n    score: {{kind: {score}}}\ntraining: {{max_steps: 300, seeds: {SEEDS[system]}}}\n"
    )
    (place / "environment.json").write_text(
        json.dumps(
            {"command": "seq2seq train configs/invented.yaml", "python": "3.11.9", "packages": {"torch": "2.13.0"},
             "revision": "abc123", "processor": f"Invented CPU {seed}", "fingerprints": {"test": "f00d"}}
        )
    )  # fmt: skip
    top = 100 * (1 - base - growth * 30)
    with (place / "log.jsonl").open("w") as log, (place / "timing.jsonl").open("w") as timing:
        for step in range(10, 310, 10):
            tokens, loss = step * 900, 1 + 6 * 0.99**step + 0.05 * seed
            log.write(json.dumps({"event": "train", "step": step, "loss": loss, "target_tokens": tokens}) + "\n")
            timing.write(json.dumps({"event": "train", "step": step, "seconds": step * 0.4, "tokens_per_second": 2250}) + "\n")
            if step % 50 == 0:
                bleu = top * (1 - 0.985**step)
                record = {"event": "validation", "step": step, "target_tokens": tokens, "loss": loss, "perplexity": 2.7**loss,
                          "token_accuracy": bleu / 110, "bleu": bleu, "bleu_by_length": [[1, 10, bleu], [11, 99, bleu / 2]]}  # fmt: skip
                log.write(json.dumps(record) + "\n")
    parameters = {"none": 90_000, "additive": 101_000, "scaled": 98_000}[system]
    summary = {"status": "finished", "parameters": parameters, "parameters_by_block": {"encoder": 40_000, "rest": parameters - 40_000},
               "steps": 300, "target_tokens": 270_000, "seconds": 120.0 + seed, "best_step": 300,
               "learning_still_rising": system == "none"}  # fmt: skip
    (place / "summary.json").write_text(json.dumps(summary))
    if system != "none":
        shown = [
            _attention(
                i, 1 + len(references[i].split()), 1 + len(sources[i].split()), True, (sources[i], references[i], lines[i])
            )
            for i in (3, 5, 12)
        ]
        (place / "attention" / f"{split}.json").write_text(json.dumps(shown))


ANALYSES = {
    "alignment": {
        "systems": {"additive": {"aer": 0.21, "precision": 0.8, "recall": 0.77, "soft_mass": 0.7, "low": 0.2, "high": 0.22}},
        "baselines": {"uniform": {"aer": 0.95, "precision": 0.05, "recall": 0.05, "soft_mass": 0.04},
                      "diagonal": {"aer": 0.6, "precision": 0.4, "recall": 0.4, "soft_mass": 0.4}},
        "n": 100, "conventions": "pieces merged to words by their largest weight",
    },
    "interventions": {
        "systems": {"additive": {
            "original": {"bleu": 80.0, "entropy": 1.2, "coverage": 0.9, "eos_mass": 0.03, "diagonal_mass": 0.5,
                         "buckets": [{"min": 1, "max": 20, "n": 50, "bleu": 85.0}, {"min": 21, "max": None, "n": 70, "bleu": 78.0}]},
            "uniform": {"bleu": 12.0, "buckets": [{"min": 1, "max": 20, "n": 50, "bleu": 22.0}, {"min": 21, "max": None, "n": 70, "bleu": 8.0}]}}},
        "description": {"uniform": "every source position gets the same weight"},
    },
    "costs": {
        name: {"training_tokens_per_second": speed, "flops_per_token": 2.5e6, "ms_per_sentence": 4.0 + index, "hardware": "2 cores",
               "by_length": [{"length": n, "ms_per_sentence": 0.1 * n + index, "peak_bytes": 1_000_000 + 9000 * n} for n in (10, 20, 40, 60)]}
        for index, (name, speed) in enumerate([("none", 2500.0), ("additive", 2100.0), ("scaled", 2300.0)])
    },
    "beam_sweep": {"split": "valid", "systems": {"additive": [
        {"beam": 1, "length_penalty": 1.0, "bleu": 79.0}, {"beam": 5, "length_penalty": 1.0, "bleu": 80.0, "chosen": True}]}},
    "concatenation": {"split": "test", "pairs": 60, "longest": 10, "systems": {
        "none": [{"joined": k, "n": 60 // k, "words": 7.5 * k, "bleu": 60.0 / k, "low": 50.0 / k, "high": 70.0 / k} for k in (1, 2, 3)],
        "additive": [{"joined": 1, "n": 60, "words": 7.5, "bleu": 80.0, "low": 75.0, "high": 85.0},
                     {"joined": 2, "n": 30, "words": 15.0, "bleu": 78.5, "low": 72.0, "high": 84.0},
                     {"joined": 3, "n": 20, "words": 22.5, "bleu": None}]}},
}  # fmt: skip

PROBE = {
    "task": "reverse", "trained": 12, "n": 100,
    "systems": {
        name: {"exact": 0.5, "within": within, "beyond": 0.25,
               "by_length": [{"min": 1, "max": 12, "n": 40, "exact": within, "low": 0.75, "high": 1.0},
                             {"min": 13, "max": 48, "n": 60, "exact": 0.25, "low": 0.16, "high": 0.37}],
               "by_position": [{"position": p, "n": 100 - p, "right": 1 - p / 60} for p in range(48)]}
        for name, within in (("none", 0.875), ("additive", 0.975))
    },
}  # fmt: skip
"""Put as `probe.json` beside runs it makes the study one of a probe."""


def write_study(folder: Path, texts: SplitText) -> None:
    for system, seeds in SEEDS.items():
        for seed in seeds:
            write_run(folder, system, seed, texts)
    (folder / "scaled" / "seed-1" / "config.yaml").write_text(
        (folder / "scaled" / "seed-1" / "config.yaml").read_text().replace("seeds: [1]", "seeds: [1, 2]")
    )
    (folder / "study.yaml").write_text(
        "name: invented\nquestion: Does the invented vector lose long sentences?\n"
        "evaluation: {metrics: [bleu, chrf], resamples: 200, minimum_bucket: 20, buckets: {kind: fixed, edges: [10, 20, 40]}}\n"
        "systems: [none, additive, scaled, absent]\n"
    )
    for name, content in ANALYSES.items():
        (folder / f"{name}.json").write_text(json.dumps(content))


def copy_of(study: Path, place: Path) -> Path:
    """A copy that a test may damage."""
    return Path(shutil.copytree(study, place / "invented", ignore=shutil.ignore_patterns("statistics", "report")))


def write_crowd(folder: Path, texts: SplitText, systems: int = 12) -> None:
    """A study of many systems: copies of two, each with lines of its own."""
    names = ["none", *(f"additive-{number}" for number in range(1, systems))]
    for number, name in enumerate(names):
        origin = "none" if number == 0 else "additive"
        write_run(folder / "made", origin, 1, texts)
        shutil.move(folder / "made" / origin / "seed-1", folder / name / "seed-1")
        hypotheses = folder / name / "seed-1" / "hypotheses" / "test.txt"
        lines = [line if index % (number + 2) else "" for index, line in enumerate(hypotheses.read_text().split("\n")[:-1])]
        hypotheses.write_text("".join(f"{line}\n" for line in lines))
        config = folder / name / "seed-1" / "config.yaml"
        config.write_text(config.read_text().replace("hidden_size: 32", f"hidden_size: {32 + number}"))
    shutil.rmtree(folder / "made")
    kinds = {"original": {"bleu": 50.0, "entropy": 1.0}, "uniform": {"bleu": 5.0}}
    (folder / "interventions.json").write_text(json.dumps({"systems": dict.fromkeys(names[1:], kinds)}))
    (folder / "study.yaml").write_text(
        "name: crowd\nquestion: How do they rank?\nevaluation: {metrics: [bleu, chrf], resamples: 100, minimum_bucket: 20, "
        f"buckets: {{kind: fixed, edges: [20, 40]}}}}\nsystems: [{', '.join(names)}]\n"
    )
