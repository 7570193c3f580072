"""Translate lines as they come, with a run's folder and nothing else."""

from itertools import islice
from pathlib import Path
from typing import BinaryIO, TextIO

from seq2seq.corpus.encoded import encode_lines
from seq2seq.corpus.tokenizer import normalise
from seq2seq.run.folder import RunFolder
from seq2seq.run.machine import prepare_machine
from seq2seq.run.trained import load_run
from seq2seq.run.translation import one_line, translate

_AT_ONCE = 1000
"""Lines read before they are translated together, sorted by length."""


def translate_lines(
    run_path: Path, source: BinaryIO, target: TextIO, *, beam: int | None = None, allow_code: bool = False
) -> int:
    """Translate UTF-8 lines; one line out for each line in, an empty one for an empty one.

    Args:
        run_path: the run's folder.
        source: where lines come from; bytes that are no UTF-8 are replaced by U+FFFD.
        target: where translations go.
        beam: hypotheses kept a sentence; None takes the run's setting.
        allow_code: let the run's config import a class of its own.

    Returns:
        The number of lines.
    """
    machine = prepare_machine("fp32")
    run = load_run(RunFolder(run_path), machine.device, allow_code=allow_code)
    settings = run.settings.search if beam is None else run.settings.search.model_copy(update={"beam": beam})
    count = 0
    while lines := [normalise(line.decode("utf-8", "replace")) for line in islice(source, _AT_ONCE)]:
        chosen = [i for i, line in enumerate(lines) if line]
        split = encode_lines(lines, run.source_tokenizer, reverse_source=run.settings.data.reverse_source)
        found = translate(run.model, split, run.target_tokenizer, settings, device=machine.device, sentences=chosen)
        texts = dict(zip(chosen, (one_line(t.text) for t in found), strict=True))
        target.writelines(texts.get(i, "") + "\n" for i in range(len(lines)))
        target.flush()
        count += len(lines)
    return count
