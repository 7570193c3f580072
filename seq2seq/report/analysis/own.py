"""Attention on sentences of our own, which may be shown where those of the corpus may not."""

import torch

from seq2seq.corpus.encoded import encode_lines
from seq2seq.report.exhibits import OWN
from seq2seq.run.hypotheses import write_attention
from seq2seq.run.trained import TrainedRun

SENTENCES = {
    "en": (
        "A man with a red hat is playing the guitar while two children dance in the street.",
        "I think that the people who voted for this law have to know what it will cost.",
    ),
    "de": (
        "Ein Mann mit einem roten Hut spielt Gitarre, während zwei Kinder auf der Straße tanzen.",
        "Ich glaube, dass die Menschen, die für dieses Gesetz gestimmt haben, wissen müssen, was es kosten wird.",
    ),
    "fr": (
        "Un homme avec un chapeau rouge joue de la guitare pendant que deux enfants dansent dans la rue.",
        "Je crois que ceux qui ont voté pour cette loi doivent savoir ce qu'elle va coûter.",
    ),
}
"""Source language -> sentences, made up for this project."""


def attend_own(run: TrainedRun, device: torch.device) -> None:
    """Translate our own sentences and write their attention to `attention/own.json`; nothing for a language without any."""
    lines = list(SENTENCES.get(run.settings.data.source, ()))
    if lines:
        split = encode_lines(lines, run.source_tokenizer, reverse_source=run.settings.data.reverse_source)
        write_attention(run, OWN, split, range(len(lines)), device, references=False)
