"""Score, compare, translate, describe: `python evaluate.py report runs/demo`."""

import sys

from seq2seq.cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
