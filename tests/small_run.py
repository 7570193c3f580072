"""A run in its folder, trained for moments on four sentences."""

import torch

from seq2seq.config.study import RunSettings
from seq2seq.corpus.tokenizer import BOS, EOS, PAD
from seq2seq.models.build import build_model
from seq2seq.run.checkpoint import Checkpoint, save_checkpoint, trainable_state
from seq2seq.run.folder import RunFolder

LINES = ["the old man sees a house", "a small house is green", "she goes home again and again", "man sees man"]


def write_run(path, tokenizer, steps, **model):
    """A model that was taught to repeat its source for a few updates, in a run's folder."""
    settings = RunSettings.model_validate(
        {"data": {"corpus": "grammar"}, "model": model, "search": {"beam": 1, "length_penalty": 0.0}}
    )
    torch.manual_seed(1)
    size = tokenizer.vocabulary_size
    built = build_model(settings.model, source_vocabulary=size, target_vocabulary=size)
    optimizer = torch.optim.Adam(built.parameters(), 0.005)
    rows = [torch.tensor([*tokenizer.encode(line), EOS]) for line in LINES]
    source = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=PAD)
    inputs = torch.cat([torch.full((len(rows), 1), BOS), source[:, :-1]], dim=1)
    for _ in range(steps):
        logits = built.output(built(source, source != PAD, inputs).features)
        torch.nn.functional.cross_entropy(logits.flatten(0, 1), source.flatten(), ignore_index=PAD).backward()
        optimizer.step()
        optimizer.zero_grad()
    folder = RunFolder(path)
    folder.tokenizers.mkdir(parents=True)
    folder.config.write_text(settings.model_dump_json(), encoding="utf-8")
    for side in ("source", "target"):
        tokenizer.save(folder.tokenizers / f"{side}.model")
    save_checkpoint(folder.best, Checkpoint(trainable_state(built), {}, {"step": steps}))
    return folder
