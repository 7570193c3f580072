"""Train a study: `python train.py configs/demo.yaml`."""

import sys

try:
    from seq2seq.cli import main
except ModuleNotFoundError as error:
    sys.exit(
        f"error: the package {error.name} is not installed for {sys.executable}; run `make install`, then activate the "
        "environment with `. .venv/bin/activate`"
    )

if __name__ == "__main__":
    sys.exit(main(["train", *sys.argv[1:]]))
