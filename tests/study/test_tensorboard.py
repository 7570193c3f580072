"""TensorBoard has what a run is, how it learned, what it scored, and where it looked."""

import io

import numpy as np
from PIL import Image
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from seq2seq.run.log import _drawn
from seq2seq.run.reading import Reading


def test_a_run_shows_its_config_norms_scores_and_attention(trained_once):
    run = trained_once / "runs" / "additive" / "seed-1"
    events = EventAccumulator(str(run / "tensorboard")).Reload()
    (config,) = events.Tensors("config/text_summary")
    shown = config.tensor_proto.string_val[0].decode()
    assert shown == "".join(f"    {line}\n" for line in (run / "config.yaml").read_text().splitlines())
    norms = [event.value for event in events.Scalars("train/gradient_norm")]
    assert len(norms) == 4
    assert min(norms) > 0
    assert [event.step for event in events.Scalars("validation/loss")] == [2, 4]  # the test's scores hide none of them
    assert {tag for tag in events.Tags()["scalars"] if tag.startswith("test/")} == {"test/bleu", "test/chrf"}
    picture = events.Images("attention/first_validation_pair")[-1]
    assert np.asarray(Image.open(io.BytesIO(picture.encoded_image_string))).std() > 0


def test_the_picture_has_words_around_the_weights():
    weights = np.array([[0.0, 1.0, 0.0], [1.0, 0.0, 0.0]])
    picture = _drawn(Reading(["a", "bc", "def"], ["x", "yz"], weights))
    corner = (picture.shape[0] - 2 * 16, picture.shape[1] - 3 * 16)
    cells = picture[corner[0] :, corner[1] :].reshape(2, 16, 3, 16).mean(axis=(1, 3))
    assert np.allclose(cells, 255 * (1 - weights))
    ink = [(255 - picture[corner[0] + 16 * row : corner[0] + 16 * (row + 1), : corner[1]]).sum() for row in range(2)]
    assert 0 < ink[0] < ink[1]  # x, and yz
    above = [(255 - picture[: corner[0], corner[1] + 16 * column : corner[1] + 16 * (column + 1)]).sum() for column in range(3)]
    assert 0 < above[0] < above[1] < above[2]
    assert (255 - picture[: corner[0] // 2, corner[1] : corner[1] + 16]).sum() == 0  # a short word stands near its column
