"""Translations of the test splits in a run's folder: made, kept, replaced without loss, with the attention that made them.

The `.json` beside `hypotheses/<split>.txt` says by which weights, with which search and of which sentences it was made. Where
any of them is another one, what was there is moved to `hypotheses/earlier/`.
"""

import json
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

from seq2seq.config.embedded import IMAGE
from seq2seq.config.errors import UserError
from seq2seq.config.identity import same_search
from seq2seq.config.training import SearchSettings
from seq2seq.corpus.cache import digest
from seq2seq.corpus.images import picture
from seq2seq.corpus.prepare import EncodedSplit, EvaluationData
from seq2seq.run.folder import RunFolder, write_aside, write_json
from seq2seq.run.trained import TrainedRun, read_hypothesis, read_reference, rounded
from seq2seq.run.translation import one_line, translate

T = TypeVar("T")

SHOWCASE = 8
"""Test sentences whose attention is kept, the same for every system."""
OWN = "own"
"""Name of the file of attention on sentences of our own, in place of a split's; they may be shown where others may not."""
OWN_SENTENCES = {
    "en": (
        "A man with a red hat is playing the guitar while two children dance in the street.",
        "I think that the people who voted for this law have to know what it will cost.",
    ),
    "de": (
        "Ein Mann mit einem roten Hut spielt Gitarre, während zwei Kinder auf der Straße tanzen.",
        "Ich glaube, dass die Menschen, die für dieses Gesetz gestimmt haben, wissen müssen, was es kosten wird.",
    ),
    "fr": (
        "Un homme avec un chapeau rouge joue de la guitare pendant que deux enfants dansent dans la rue.",
        "Je crois que ceux qui ont voté pour cette loi doivent savoir ce qu'elle va coûter.",
    ),
}
"""Source language -> sentences, made up for this project."""


def translate_tests(
    run: TrainedRun, data: EvaluationData, *, again: bool = False, instead_of: SearchSettings | None = None
) -> None:
    """Translate every split of `data` that has no translations yet, and write attention of a few of its sentences.

    Attention that was removed is written again where the translations are by these weights with this search. With `again` also
    replace translations that were made by other weights, with another search or of other sentences; without, those of other
    sentences are a `UserError`. `instead_of` is the search of the run's config, where `run` has another one that stands in for
    it (tuning).
    """
    for name, split in data.tests.items():
        search, fingerprint = run.settings.search.model_dump(), data.fingerprints[name]
        made = {"search": search, "step": run.step, "weights": run.weights, "fingerprint": fingerprint}
        facts = run.folder.decoding(name)
        if facts is not None and not again:
            check_sentences(run.folder.hypotheses(name), facts, fingerprint)
            if not run.folder.attention(name).exists() and _made_so(facts, made, exactly=True):
                write_attention(run, name, split, showcase(split))
        elif facts is None or not _made_so(facts, made, exactly=instead_of is not None):
            if run.folder.hypotheses(name).exists():
                _set_aside(run.folder, name, facts or {})
            write_attention(run, name, split, showcase(split))
            facts = _taken_back(run.folder, name, made) or _write_text(run, name, split)
            standing_for = {} if instead_of is None else {"instead_of": instead_of.model_dump()}
            write_json(run.folder.hypotheses(name).with_suffix(".json"), {**facts, **made, **standing_for})


def check_sentences(path: Path, facts: Mapping[str, Any] | None, fingerprint: str) -> None:
    """Check that translations are of the sentences that a split holds now, by what is known of them; a `UserError` if not."""
    then = (facts or {}).get("fingerprint", fingerprint)
    if then != fingerprint:
        raise UserError(
            f"{path}: translations of other sentences than split '{path.stem}' holds now: it changed since "
            f"(SHA-256 {then[:12]} then, {fingerprint[:12]} now); put the corpus back, or translate what is there now with "
            "report --retranslate (the old translations are kept)"
        )


def _made_so(facts: Mapping[str, Any], made: Mapping[str, Any], *, exactly: bool) -> bool:
    searches = [facts[key] for key in ("search", *(() if exactly else ("instead_of",))) if key in facts]
    same = all(facts.get(key) == made[key] for key in ("step", "fingerprint"))
    same &= facts.get("weights", made["weights"]) == made["weights"]  # an older entry does not name them
    return same and any(same_search(search, made["search"]) for search in searches)


def _earlier(folder: RunFolder, split: str, made: Mapping[str, Any]) -> Path:
    search = {key: value for key, value in made.get("search", {}).items() if key != "batch_tokens"}
    key = digest(search, made.get("step"), made.get("fingerprint"))[:12]
    return folder.hypotheses(split).parent / "earlier" / key / f"{split}.txt"


def _set_aside(folder: RunFolder, split: str, facts: Mapping[str, Any]) -> None:
    """Move translations to `earlier/`: copied whole before they count as absent."""
    path, kept = folder.hypotheses(split), _earlier(folder, split, facts)
    write_aside(kept, path.read_text(encoding="utf-8"))
    write_json(kept.with_suffix(".json"), facts)
    path.with_suffix(".json").unlink(missing_ok=True)


def _taken_back(folder: RunFolder, split: str, made: Mapping[str, Any]) -> dict[str, Any] | None:
    """Copy a text back that was set aside and made as wanted; returns what is known of it, None where there is none."""
    kept = _earlier(folder, split, made)
    if not kept.with_suffix(".json").exists():
        return None
    write_aside(folder.hypotheses(split), kept.read_text(encoding="utf-8"))
    facts: dict[str, Any] = json.loads(kept.with_suffix(".json").read_text(encoding="utf-8"))
    return {key: value for key, value in facts.items() if key != "instead_of"}


def _write_text(run: TrainedRun, name: str, split: EncodedSplit) -> dict[str, Any]:
    began = time.perf_counter()
    found = translate(run.model, split, run.target_tokenizer, run.settings.search)
    seconds = time.perf_counter() - began
    write_aside(run.folder.hypotheses(name), "".join(f"{one_line(t.text)}\n" for t in found))
    truncated = [i for i, t in enumerate(found) if t.hypothesis.truncated]
    return {"sentences": len(found), "truncated": truncated, "seconds": round(seconds, 3)}


def showcase(split: EncodedSplit) -> list[int]:
    """Choose sentences for heat maps, over the lengths of the split, the same for every system."""
    return evenly_spaced(sorted(range(len(split)), key=split.length), SHOWCASE)


def evenly_spaced(items: Sequence[T], most: int) -> list[T]:
    """At most `most` of the items, evenly spaced, the first and the last among them."""
    if len(items) <= most:
        return list(items)
    return [items[round(index * (len(items) - 1) / (most - 1))] for index in range(most)]


def write_attention(
    run: TrainedRun, name: str, split: EncodedSplit, sentences: Sequence[int], *, references: bool = True
) -> None:
    """Write `attention/<split>.json`: weights of each sentence's hypothesis and, with `references`, of its reference."""
    search = run.settings.search
    found = translate(run.model, split, run.target_tokenizer, search, sentences=sentences, need_weights=True)
    records = []
    for index, translation in zip(sentences, found, strict=True):
        reading = read_hypothesis(run, split, index, translation.hypothesis)
        record = {"index": index, "source": reading.source, "hypothesis": reading.target, "weights": rounded(reading.weights)}
        if run.settings.data.source == IMAGE:
            record["picture"] = picture(split.source(index))
        if references:
            forced = read_reference(run.model, (run.source_tokenizer, run.target_tokenizer), split, index)
            record["forced"] = {"reference": forced.target, "weights": rounded(forced.weights)}
        records.append(record)
    write_json(run.folder.attention(name), records)


def attend_own(run: TrainedRun) -> None:
    """Translate our own sentences and write their attention to `attention/own.json`; nothing for a language without any."""
    lines = list(OWN_SENTENCES.get(run.settings.data.source, ()))
    if lines:
        write_attention(run, OWN, run.encode(lines), range(len(lines)), references=False)
