"""A trained run in use: which of its weights are loaded, and what is said of it."""

import torch

from seq2seq.config.data import TokenizerSettings
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.run.checkpoint import load_checkpoint, save_checkpoint
from seq2seq.run.trained import load_run
from tests.small_run import LINES, write_run


def test_weights_in_place_of_damaged_ones_are_named(tmp_path, capsys):
    tokenizer = Tokenizer.train(LINES * 5, TokenizerSettings(vocabulary_size=284))
    folder = write_run(tmp_path, tokenizer, steps=1)
    save_checkpoint(folder.best, load_checkpoint(folder.best))
    load_run(folder, torch.device("cpu"))
    assert capsys.readouterr().err == ""
    (folder.best / "model.safetensors").write_bytes(b"damaged")
    run = load_run(folder, torch.device("cpu"))
    told = capsys.readouterr().err
    assert "damaged checkpoint passed over" in told
    assert told.endswith(f"; the weights of step {run.step} are used\n")
