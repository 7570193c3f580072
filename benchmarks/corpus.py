"""The corpus of all measurements: `python -m benchmarks.corpus multi30k [FOLDER]` fills the cache, and FOLDER with pieces."""

import argparse
import sys
from pathlib import Path

from benchmarks.systems import SMALL, VOCABULARIES, data_settings, tokenizer_settings
from seq2seq.config.data import DataSettings, TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.corpus.prepare import PreparedData, prepare


def prepared(corpus: str, model: str = "") -> PreparedData:
    """Open the corpus of a model, from the cache if it is there."""
    data = DataSettings.model_validate(data_settings(corpus, model))
    return prepare(data, TokenizerSettings.model_validate(tokenizer_settings(corpus, model)), report=lambda _: None)


def main() -> int:
    """Returns 0, or 2 with one line where the corpus cannot be had."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.corpus", description=__doc__)
    parser.add_argument("corpus", choices=sorted(VOCABULARIES))
    parser.add_argument("folder", type=Path, nargs="?")
    arguments = parser.parse_args()
    try:
        prepared(arguments.corpus)
        prepared(arguments.corpus, next(iter(SMALL)))
    except UserError as error:
        print(error, file=sys.stderr)
        return 2
    if arguments.folder:
        from benchmarks.peers.pieces import write_pieces

        write_pieces(arguments.corpus, arguments.folder)
    return 0


if __name__ == "__main__":
    sys.exit(main())
