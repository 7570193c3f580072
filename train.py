"""Train a study: `python train.py configs/demo.yaml`."""

import sys

from seq2seq.cli import main

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
