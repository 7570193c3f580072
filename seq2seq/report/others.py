"""Anybody's translations of a test set, scored by source length: no run, no study, only lines of text."""

import sys
from collections.abc import Sequence
from pathlib import Path

from seq2seq.config.errors import UserError, counted
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.languages import length_unit
from seq2seq.corpus.files import read_lines
from seq2seq.corpus.tokenizer import INVALID
from seq2seq.report.runs import with_tokenizer
from seq2seq.report.score_tables import bleu_by_length
from seq2seq.report.values import as_text
from seq2seq.scoring.buckets import source_words
from seq2seq.scoring.comparison import compare
from seq2seq.scoring.evidence import Evidence, SystemScores
from seq2seq.scoring.sentences import sentence_statistics


def score_files(
    source: Path,
    reference: Path,
    hypotheses: Sequence[Path],
    settings: EvaluationSettings,
    *,
    languages: tuple[str, str] = ("en", "en"),
) -> str:
    """Return BLEU by source length of translations that are there as text, one sentence a line, plain or .gz.

    Words of `source` say which bucket a sentence is in. A file is called by its name, or its path where names repeat. Of the
    settings, buckets and tokenizer count. `languages` are those of source and target: whether length is counted in words or
    characters, and which tokenizer `auto` is. A `UserError` if a file is a table, cannot be read or has another number of
    lines; lines that are not UTF-8 are counted on standard error.
    """
    if table := next((path for path in (source, reference, *hypotheses) if ".tsv" in path.suffixes), None):
        raise UserError(f"{table}: a table; give a file for each of its columns, one sentence a line (cut -f 1 for the first)")
    only_bleu = {"metrics": ("bleu",), "bottleneck_score": "bleu", "baseline": ""}
    settings, sources = with_tokenizer(settings.model_copy(update=only_bleu), languages[1]), list(read_lines(source))
    if not sources:
        raise UserError(f"{source}: no sentence to score")

    def lines_of(path: Path) -> list[str]:
        lines = list(read_lines(path))
        if len(lines) != len(sources):
            raise UserError(
                f"{path} has {counted(len(lines), 'line')} but {source} has {len(sources):,}; lines must correspond one to one"
            )
        if invalid := sum(bool(INVALID.search(line)) for line in lines):
            print(f"{path}: {counted(invalid, 'line')} with bytes that are not UTF-8; save the file as UTF-8", file=sys.stderr)
        return lines

    if twice := [path for path in hypotheses if hypotheses.count(path) > 1]:
        raise UserError(f"{twice[0]}: a file of translations is named twice; give each once")
    references, names, systems = lines_of(reference), [path.name for path in hypotheses], []
    for path in hypotheses:
        statistics = sentence_statistics(lines_of(path), references, metrics=settings.metrics, tokenizer=settings.tokenizer)
        name = path.name if names.count(path.name) == 1 else str(path)
        systems.append(SystemScores(name=name, seeds=(1,), statistics=(statistics,)))
    evidence = Evidence(systems, source_words(sources, languages[0]), settings)
    rows = {name: (each.overall, each.buckets) for name, each in compare(evidence).items()}
    title = f"BLEU by source {length_unit(languages[0])}"
    return "\n".join([title, as_text(bleu_by_length(rows)), "", *evidence.signatures.values()])
