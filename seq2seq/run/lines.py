"""Translate lines as they come, with a run's folder and nothing else."""

import json
import select
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from io import UnsupportedOperation
from pathlib import Path
from typing import Any, BinaryIO, TextIO

from seq2seq.config.data import BOUNDARY
from seq2seq.config.errors import RunError, UserError, counted
from seq2seq.config.loading import part_from
from seq2seq.config.training import SearchSettings
from seq2seq.corpus.encoded import EncodedSplit
from seq2seq.corpus.tokenizer import INVALID, normalise
from seq2seq.models.limits import Limits, find_limits
from seq2seq.run.decision import evaluation_device
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import TrainedRun, load_run, local_path, read_hypothesis, rounded
from seq2seq.run.translation import Translation, one_line, translate_n_best

_AT_ONCE = 1000  # lines translated together, sorted by length, at most
_PAUSE = 0.05  # seconds without a further line after which those that have come are translated
_CHUNK = 1 << 16
_MAX_CHARACTERS = 100_000
_MAX_BYTES = 4 * _MAX_CHARACTERS + 4
_PROGRESS = 15.0  # seconds between lines of progress on standard error


@dataclass(frozen=True)
class LineOptions:
    """Options of translating lines; None takes what the run was made with."""

    beam: int | None = None
    """Hypotheses kept a sentence."""
    length_penalty: float | None = None
    """Exponent alpha."""
    max_length: int | None = None
    """Subwords of a translation, at most, whatever its source, in place of the run's ratio to the source."""
    n_best: int = 1
    """Translations of each line."""
    scores: bool = False
    """Write `line, score, cut or nothing, text` separated by tabs."""
    attention: bool = False
    """Write a JSON object a line, with subwords, scores and attention."""

    def search(self, settings: SearchSettings) -> SearchSettings:
        """Return the run's search with what the options change; a `UserError` unless `n_best` is 1 to the beam."""
        known = {"beam": self.beam, "length_penalty": self.length_penalty, "max_extra": self.max_length}
        given = {name: value for name, value in known.items() if value is not None}
        changed = part_from(SearchSettings, {**settings.model_dump(), **given}, "search")
        if self.max_length is not None:
            changed = changed.model_copy(update={"max_ratio": 0.0})
        if self.n_best < 1:
            raise UserError(f"--n-best {self.n_best}: at least 1 is written of each line")
        if self.n_best > changed.beam:
            raise UserError(f"--n-best {self.n_best}: the beam keeps {changed.beam}; give --beam {self.n_best} or more")
        return changed


@dataclass
class _Counts:
    """Counts of the lines."""

    lines: int = 0
    refused: int = 0
    cut: list[int] = field(default_factory=list)
    invalid: int = 0

    def report(self) -> None:
        """Say on standard error what a person should know; a `RunError` if lines were left empty."""
        if self.invalid:
            print(f"{counted(self.invalid, 'line')} with bytes that are not UTF-8; these were read as U+FFFD", file=sys.stderr)
        if self.cut:
            some = ", ".join(map(str, self.cut[:10])) + (", ..." if self.cut[10:] else "")
            print(f"{counted(len(self.cut), 'translation')} cut at the length limit, of lines {some}", file=sys.stderr)
        if self.refused:
            raise RunError(f"{self.refused:,} of {self.lines:,} lines were refused and left empty; they are named above")


def translate_lines(
    run_path: Path, source: BinaryIO, target: TextIO, *, options: LineOptions | None = None, allow_code: bool = False
) -> int:
    """Translate UTF-8 lines, each as soon as it is there; one line out for each line in, an empty one for an empty one.

    Bytes that are no UTF-8 are replaced by U+FFFD; without options it is the run's own search, and text alone. Returns the
    number of lines, or raises a `RunError` at the end: some were too long for the model, or no scenes where sources are
    pictures; they are named on standard error, and empty in the output.
    """
    folder, options = RunFolder(local_path(run_path)), options or LineOptions()
    run = load_run(folder, evaluation_device(folder), allow_code=allow_code)
    search, counts = options.search(run.settings.search), _Counts()
    began = shown = time.monotonic()
    for raw in _arriving(source):
        lines = [line.decode("utf-8", "replace") for line in raw]
        counts.invalid += sum(bool(INVALID.search(line)) for line in lines)
        target.writelines(_answers(run, [normalise_line(line, run) for line in lines], search, options, counts))
        target.flush()
        if (now := time.monotonic()) - shown > _PROGRESS:
            shown = now
            print(f"{counts.lines:,} lines, {counts.lines / (now - began):,.1f} lines/s", file=sys.stderr)
    counts.report()
    return counts.lines


def normalise_line(line: str, run: TrainedRun) -> str:
    """Return a line in its normal form, in which boundaries stay for a model that was trained with them."""
    join = run.settings.data.join
    if join is None or join.separator is None:
        return normalise(line)
    return join.between.join(map(normalise, line.split(BOUNDARY)))


def too_long(line: str, subwords: int, limits: Limits) -> str | None:
    """Return what a line of so many subwords is longer than; None if it can be translated."""
    limit = limits.refused(subwords + 1)
    if limit is None and len(line) <= _MAX_CHARACTERS:
        return None
    most = f"{limit.setting} {limit.tokens}" if limit else f"{_MAX_CHARACTERS:,} characters"
    return f"longer than {most} ({len(line):,} characters, {subwords:,} subwords)"


def _arriving(source: BinaryIO) -> Iterator[list[bytes]]:
    """Yield the lines that have come, together; wait only where there is none."""
    lines: list[bytes] = []
    rest = b""
    while chunk := source.read1(_CHUNK):  # type: ignore[attr-defined]  # of BufferedReader and BytesIO: what is there, at least a byte
        *complete, rest = (rest + chunk).split(b"\n")
        lines += complete
        rest = rest[:_MAX_BYTES]  # of a line that is too long anyway the end is not kept
        if lines and (len(lines) >= _AT_ONCE or not _more_has_come(source)):
            yield lines
            lines = []
    if rest:
        lines.append(rest)
    if lines:
        yield lines


def _more_has_come(source: BinaryIO) -> bool:
    try:
        return bool(select.select([source], [], [], _PAUSE)[0])
    except UnsupportedOperation:  # in memory: all of it is there
        return True


def _answers(
    run: TrainedRun, lines: Sequence[str], search: SearchSettings, options: LineOptions, counts: _Counts
) -> Iterator[str]:
    """Translate lines together and yield what is written for each."""
    complaints = [run.source_tokenizer.complaint(line) for line in lines]
    readable = [line if complaint is None else "" for line, complaint in zip(lines, complaints, strict=True)]
    split = run.encode(readable)
    limits = find_limits(run.model)
    chosen = []
    for i, line in enumerate(lines):
        if why := complaints[i] or too_long(line, int(split.source_lengths[i]), limits):
            counts.refused += 1
            print(f"line {counts.lines + i + 1}: {why}; left empty", file=sys.stderr)
        elif line:
            chosen.append(i)
    found = translate_n_best(
        run.model,
        split,
        run.target_tokenizer,
        search,
        sentences=chosen,
        need_weights=options.attention,
        n_best=options.n_best,
    )
    translations = dict(zip(chosen, found, strict=True))
    for i in range(len(lines)):
        counts.lines += 1
        best = translations.get(i, [])
        if best and best[0].hypothesis.truncated:
            counts.cut.append(counts.lines)
        if options.attention:
            yield json.dumps(_record(run, split, i, best, counts.lines), ensure_ascii=False) + "\n"
        elif options.scores or options.n_best > 1:
            yield from (_row(counts.lines, translation) for translation in best) if best else [f"{counts.lines}\t\t\t\n"]
        else:
            yield (one_line(best[0].text) if best else "") + "\n"


def _row(line: int, translation: Translation) -> str:
    hypothesis = translation.hypothesis
    return f"{line}\t{hypothesis.score:.4f}\t{'cut' if hypothesis.truncated else ''}\t{one_line(translation.text)}\n"


def _record(run: TrainedRun, split: EncodedSplit, index: int, best: Sequence[Translation], line: int) -> dict[str, Any]:
    """Return what JSON says of a line: source subwords or cells, and of each translation its subwords and weights (T, S)."""
    columns, hypotheses = run.source_tokenizer.columns(split.source(index), split.source_tokens(index)), []
    source = [column.name for column in columns]
    for translation in best:
        reading = read_hypothesis(run, split, index, translation.hypothesis)
        source = reading.source
        hypotheses.append(
            {
                "text": one_line(translation.text),
                "score": round(translation.hypothesis.score, 4),
                "truncated": translation.hypothesis.truncated,
                "tokens": reading.target,
                "attention": rounded(reading.weights) if reading.attends else None,
            }
        )
    return {"line": line, "source": source, "translations": hypotheses}
