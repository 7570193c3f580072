"""An exported Transformer translates as ours does, and what cannot be exported is refused by name."""

import numpy as np
import pytest
import torch

from seq2seq.cli import main
from seq2seq.config.data import TokenizerSettings
from seq2seq.config.errors import UserError
from seq2seq.config.study import RunSettings
from seq2seq.corpus.tokenizer import BOS, EOS, Tokenizer
from seq2seq.run.export import IN_CTRANSLATE2, IN_ONNX, check_held, export_ctranslate2
from seq2seq.run.trained import load_run
from seq2seq.run.translation import translate
from tests.small_run import LINES, write_run


def stack(**changes):
    return {"kind": "transformer", "hidden_size": 32, "layers": 2, "feedforward_size": 48, "dropout": 0.0, **changes}


@pytest.fixture(scope="module")
def tokenizer():
    return Tokenizer.train(LINES * 5, TokenizerSettings(vocabulary_size=284))


@pytest.mark.parametrize(
    "model",
    [
        {"encoder": stack(), "decoder": stack(), "tie": "all"},
        {"encoder": stack(self_attention={"gates": {}}), "decoder": stack(self_attention={"gates": {}}), "tie": "all"},
        pytest.param(
            {
                "encoder": stack(norm="post", positions={"kind": "learned", "max_positions": 40}, scale_embeddings=False),
                "decoder": stack(norm="post", layers=1, activation="gelu"),
                "tie": "output",
            },
            marks=pytest.mark.slow,
        ),
    ],
)
def test_both_decoders_say_the_same(model, tokenizer, tmp_path):
    ctranslate2 = pytest.importorskip("ctranslate2")
    gated = "self_attention" in model["encoder"]
    steps = 200 if gated else 60  # heads that come and go are slower to learn
    folder = write_run(tmp_path / "run", tokenizer, steps, **model, attention={"score": "scaled", "heads": 4})
    assert main(["export", str(folder.path), "--to", "ctranslate2", str(tmp_path / "out")]) == 0
    run = load_run(folder, torch.device("cpu"))
    sentences = [*LINES, "green man", "a house again and a home and a man"]
    split = run.encode(sentences)
    translator = ctranslate2.Translator(str(tmp_path / "out"), device="cpu", compute_type="float32", intra_threads=1)
    source = Tokenizer.load(tmp_path / "out" / "source.model")
    for beam in (1, 3):
        search = run.settings.search.model_copy(update={"beam": beam, "max_ratio": 0.0, "max_extra": 30})
        ours = translate(run.model, split, run.target_tokenizer, search)
        assert ours[0].text == LINES[0]  # it learned something, so that ties are rare
        found = translator.translate_batch(
            [source.pieces(source.encode(line)) for line in sentences],
            beam_size=beam,
            length_penalty=0,
            max_decoding_length=30,
            min_decoding_length=0,  # ours may be empty as well
            return_scores=True,
        )
        pairs = [pair for pair in zip(ours, found, strict=True) if not pair[0].hypothesis.truncated]
        assert len(pairs) >= len(LINES)
        for mine, theirs in pairs:
            better = theirs.scores[0] - mine.hypothesis.score
            assert better > -1e-4
            if (
                beam == 1 or better < 1e-4
            ):  # a beam of ours stops when it is full of finished ones, theirs if the best has finished
                assert tokenizer.pieces(mine.hypothesis.tokens) == theirs.hypotheses[0]
                assert better < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize(
    "model",
    [
        {"attention": {"score": "additive"}, "decoder": {"placement": "before", "hidden_size": 32}},
        {"attention": {"score": "none"}, "encoder": {"cell": "lstm"}, "decoder": {"cell": "lstm", "layers": 2}},
        {"attention": {"score": "dot"}, "decoder": {"input_feeding": True, "hidden_size": 32}},
    ],
)
def test_graphs_of_a_recurrent_model_take_the_same_steps(model, tokenizer, tmp_path):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = write_run(tmp_path / "run", tokenizer, 5, **model)
    assert main(["export", str(folder.path), "--to", "onnx", str(tmp_path / "out")]) == 0
    encoder, decoder = (onnxruntime.InferenceSession(tmp_path / "out" / f"{name}.onnx") for name in ("encoder", "decoder"))
    run = load_run(folder, torch.device("cpu"))
    source = torch.tensor([[*tokenizer.encode(LINES[2]), EOS]])
    target = [BOS, *tokenizer.encode(LINES[0])]
    with torch.no_grad():
        expected = run.model(source, torch.ones_like(source, dtype=torch.bool), torch.tensor([target]), need_weights=True)
        logits = run.model.logits(expected.features)[0]
    names = [output.name for output in encoder.get_outputs()]
    state = dict(zip(names, encoder.run(None, {"source": source.numpy()}), strict=True))
    for step, token in enumerate(target):
        wanted = {item.name for item in decoder.get_inputs()} - {"token"}
        feed = {name: value for name, value in state.items() if name in wanted}
        results = decoder.run(None, {"token": np.array([token]), **feed})
        found = dict(zip([output.name for output in decoder.get_outputs()], results, strict=True))
        np.testing.assert_allclose(found["logits"][0], logits[step], atol=1e-4)
        np.testing.assert_allclose(found["weights"][0], expected.weights[0, step], atol=1e-4)
        state |= {name.removeprefix("next_"): value for name, value in found.items() if name.startswith("next_")}


@pytest.mark.parametrize(
    ("held", "model", "message"),
    [
        (IN_CTRANSLATE2, {}, "model.encoder.kind: rnn, only with transformer"),
        (IN_CTRANSLATE2, {"encoder": stack(), "decoder": stack(positions="rope")}, "model.decoder.positions.kind: rope"),
        (IN_CTRANSLATE2, {"encoder": stack(), "decoder": stack()}, "model.attention.score.kind: additive, only with scaled"),
        (
            IN_CTRANSLATE2,
            {"encoder": stack(), "decoder": stack(), "attention": {"score": "scaled"}},
            "model.attention.heads: 1, only with 4",
        ),
        (IN_CTRANSLATE2, {"architecture": "decoder_only"}, "model.architecture: decoder_only"),
        (IN_ONNX, {"attention": {"window": "local_m"}}, "model.attention.window.kind: local_m"),
    ],
)
def test_what_a_format_does_not_hold_is_named(held, model, message, tmp_path):
    settings = RunSettings.model_validate({"data": {"corpus": "grammar"}, "model": model})
    with pytest.raises(UserError, match=message):
        check_held(tmp_path, settings.model_dump(mode="json"), held)


def test_a_target_that_is_taken_is_refused(tmp_path):
    pytest.importorskip("ctranslate2")
    (tmp_path / "mine").touch()
    with pytest.raises(UserError, match="already there"):
        export_ctranslate2(tmp_path, tmp_path)
