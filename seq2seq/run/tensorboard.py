"""TensorBoard: the config, scalars, BLEU by length, test scores, and pictures of attention with its words."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from seq2seq.run.reading import Reading
from seq2seq.run.validation import Validation

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Monitor:
    """Writes TensorBoard events; the library is imported at the first one, so that a run starts sooner.

    Later events than `first_step` of an interrupted run are hidden; None hides nothing.
    """

    def __init__(self, folder: Path, first_step: int | None = 0) -> None:
        self.folder = folder
        self.first_step = first_step
        self._open: SummaryWriter | None = None

    def _writer(self) -> Any:
        if self._open is None:
            from torch.utils.tensorboard import SummaryWriter

            self._open = SummaryWriter(str(self.folder), purge_step=self.first_step)
        return self._open

    def scalars(self, step: int, values: dict[str, float]) -> None:
        """Write named values at a step."""
        for name, value in values.items():
            self._writer().add_scalar(name, value, step)

    def validation(self, step: int, result: Validation) -> None:
        """Write a validation's scalars, and BLEU by length as one panel."""
        writer = self._writer()
        values = {"loss": result.loss, "perplexity": result.perplexity, "token_accuracy": result.token_accuracy}
        if result.bleu is not None:
            values["bleu"] = result.bleu
        self.scalars(step, {f"validation/{name}": value for name, value in values.items()})
        for low, high, bleu in result.bleu_by_length:
            writer.add_scalar(f"validation_bleu_by_length/{low:03d}-{high:03d}", bleu, step)

    def text(self, name: str, content: str) -> None:
        """Write a text such as the config, as it stands."""
        self._writer().add_text(name, "".join(f"    {line}\n" for line in content.splitlines()), 0)

    def picture(self, step: int, reading: Reading) -> None:
        """Write the attention of a sentence pair, source words above, target words on the left."""
        self._writer().add_image("attention/first_validation_pair", _drawn(reading.by_words()), step, dataformats="HW")

    def close(self) -> None:
        """Flush and close."""
        if self._open is not None:
            self._open.close()


def _drawn(reading: Reading) -> NDArray[np.uint8]:
    """(height, width) grey picture: white for a weight of 0, black for 1."""
    from PIL import Image, ImageDraw, ImageFont

    font = ImageFont.load_default(12)
    above, left = (round(max(map(font.getlength, words))) + 8 for words in (reading.source, reading.target))
    cell, (height, width) = 16, (len(reading.target), len(reading.source))
    grey = (255 * (1 - np.clip(np.asarray(reading.weights), 0, 1))).astype(np.uint8)
    names = Image.new("L", (above, cell * width), 255)  # of the source, turned to read upwards
    canvas = Image.new("L", (left + cell * width, above + cell * height), 255)
    canvas.paste(Image.fromarray(grey).resize((cell * width, cell * height), Image.Resampling.NEAREST), (left, above))
    for words, image, start in ((reading.source, names, 0), (reading.target, canvas, above)):
        for row, word in enumerate(words):
            ImageDraw.Draw(image).text((4, start + cell * row + 1), word, fill=0, font=font)
    canvas.paste(names.transpose(Image.Transpose.ROTATE_90), (left, 0))
    return np.asarray(canvas)
