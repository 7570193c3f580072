"""Cleaning: sentences dropped from a training split and mended in any split, with counts; nothing happens uncounted.

Validation and test splits are never shortened: a line without text is an error, every other line is normalised and kept.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass, field

from seq2seq.config.data import DataSettings
from seq2seq.config.errors import UserError, counted
from seq2seq.config.languages import has_spaces, sentence_length
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.seen import Seen
from seq2seq.corpus.tokenizer import CONTROL, INVALID, INVISIBLE, MAX_PIECE_CHARACTERS, normalise


@dataclass
class CleaningCounts:
    """Counts of the lines of a split: `lines = kept + the sum of dropped`."""

    lines: int = 0
    """Pairs read."""
    dropped: Counter[str] = field(default_factory=Counter)
    """Pairs left out, by the first reason that applied."""
    mended: Counter[str] = field(default_factory=Counter)
    """Pairs kept in a changed form, by what was changed."""
    joined: dict[str, int] = field(default_factory=dict)
    """Examples made of the pairs that were kept, by length bucket (of the source); empty where pairs stand alone."""

    @property
    def kept(self) -> int:
        """Pairs that are used."""
        return self.lines - self.dropped.total()

    def describe(self) -> str:
        """Return the counts as one line."""
        text = f"{counted(self.lines, 'pair')} read, {self.kept:,} kept"
        for name, counts in (("dropped", self.dropped), ("mended", self.mended)):
            parts = ", ".join(f"{number:,} {reason.replace('_', ' ')}" for reason, number in sorted(counts.items()) if number)
            text += f"; {name}: {parts}" if parts else ""
        if self.joined:
            parts = ", ".join(f"{bucket}: {number:,}" for bucket, number in self.joined.items())
            text += f"; joined to {sum(self.joined.values()):,} examples by source length: {parts}"
        return text


def clean_training(
    pairs: Iterable[SentencePair], settings: DataSettings, counts: CleaningCounts, held_out: Collection[tuple[str, str]] = ()
) -> Iterator[SentencePair]:
    """Yield the pairs to learn from, normalised; `counts` says what became of the others.

    Pairs whose two sides are among `held_out` are dropped. Reading stops once `settings.max_pairs` pairs are kept, so later
    lines are not counted as read.
    """
    seen = Seen()  # by hash: one chance in a million and a half that among 5 million pairs one is called a duplicate in error
    kept = 0
    for pair in pairs:
        counts.lines += 1
        cleaned = _normalised(pair)
        reason = _reason_to_drop(pair, cleaned, settings)
        if reason is None and (cleaned.source, cleaned.target) in held_out:
            reason = "also_in_validation_or_test"
        if reason is None and settings.drop_duplicates and not seen.add(f"{cleaned.source}\n{cleaned.target}"):
            reason = "duplicate"
        if reason is not None:
            counts.dropped[reason] += 1
            continue
        _count_mended(pair, cleaned, counts)
        yield cleaned
        kept += 1
        if kept == settings.max_pairs:
            return


def _normalised(pair: SentencePair) -> SentencePair:
    return SentencePair(normalise(pair.source), normalise(pair.target), pair.links)


def _reason_to_drop(pair: SentencePair, cleaned: SentencePair, settings: DataSettings) -> str | None:
    raw = (pair.source, pair.target)
    if any(INVALID.search(text) for text in raw):
        return "invalid_utf8"
    if any(CONTROL.search(text) for text in raw):
        return "control_characters"
    sides = (cleaned.source, cleaned.target)
    if not all(sides):
        return "empty"
    shorter, longer = sorted(len(text) for text in sides)
    languages = (settings.source, settings.target)
    units = [sentence_length(text, language) for text, language in zip(sides, languages, strict=True)]
    if longer > MAX_PIECE_CHARACTERS * settings.max_tokens:  # more than max_tokens subwords however it is cut
        return "too_many_pieces"
    if settings.max_words is not None and max(units) > settings.max_words:
        return "too_many_words"
    if has_spaces(settings.source) != has_spaces(settings.target):  # a character of Chinese says more than one of English
        shorter, longer = sorted(units)
    if settings.max_ratio is not None and longer > settings.max_ratio * shorter:
        return "length_ratio"
    return None


def _count_mended(pair: SentencePair, cleaned: SentencePair, counts: CleaningCounts) -> None:
    if pair == cleaned:
        return
    patterns = {"invalid_utf8": INVALID, "control_characters": CONTROL, "invisible_characters": INVISIBLE}
    named = [name for name, pattern in patterns.items() if pattern.search(pair.source) or pattern.search(pair.target)]
    counts.mended.update(named or ["spacing_or_unicode_form"])


def normalise_evaluation(
    pairs: Iterable[SentencePair], settings: DataSettings, counts: CleaningCounts, where: str
) -> Iterator[SentencePair]:
    """Yield every pair, normalised; a `UserError` names a line without text, since none may be skipped."""
    for number, pair in enumerate(pairs, start=1):
        counts.lines += 1
        cleaned = _normalised(pair)
        for language, text in ((settings.source, cleaned.source), (settings.target, cleaned.target)):
            if not text:
                raise UserError(
                    f"{where}: line {number} has no text in '{language}'; lines to validate or test on are never skipped, "
                    "so remove the line from both files or give it text"
                )
        _count_mended(pair, cleaned, counts)
        yield cleaned
