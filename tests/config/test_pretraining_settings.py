"""What may be said of a warm start, and what does not go together."""

import pytest

from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.config.training import CausalSettings, MaskedSettings


def read(tmp_path, pretrain, **base):
    path = tmp_path / "study.yaml"
    parts = {"data": "{corpus: grammar}", "training": f"{{pretrain: {pretrain}}}", **base}
    path.write_text("base:\n" + "".join(f"  {k}: {v}\n" for k, v in parts.items()) + "systems:\n  a: {}\n", encoding="utf-8")
    return load_study(path).systems["a"].training.pretrain


@pytest.mark.parametrize(("word", "settings"), [("masked", MaskedSettings()), ("causal", CausalSettings()), ("null", None)])
def test_a_word_is_enough(tmp_path, word, settings):
    assert read(tmp_path, word) == settings


@pytest.mark.parametrize(
    ("pretrain", "base", "error"),
    [
        ("mask", {}, r"training.pretrain: unknown value 'mask'; did you mean 'masked'"),
        ("{kind: causal, mask_share: 0.2}", {}, r"training.pretrain.mask_share: unknown key"),
        ("{kind: masked, mask_share: 1}", {}, r"training.pretrain.mask_share: input should be less than 1"),
        ("{kind: causal, steps: 2000}", {}, r"training: pretrain.steps 2000 are the first of max_steps 2000, so that none is"),
        ("masked", {"model": "{architecture: decoder_only}"}, r"training.pretrain: masked trains an encoder"),
        (
            "masked",
            {"data": "{corpus: scenes, target: en}", "tokenizer": "{joint: false}", "model": "{encoder: image}"},
            r"training.pretrain: masked hides subwords, and the source is a picture",
        ),
    ],
)
def test_mistakes_are_one_line(tmp_path, pretrain, base, error):
    with pytest.raises(UserError, match=error):
        read(tmp_path, pretrain, **base)
