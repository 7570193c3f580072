"""TensorBoard: scalars, BLEU by length, and pictures of attention."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from seq2seq.run.validation import Validation

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


class Monitor:
    """Writes TensorBoard events; the library is imported at the first one, so that a run starts sooner.

    Args:
        folder: where events go.
        first_step: step at which this process begins; later events of an interrupted run are hidden.
    """

    def __init__(self, folder: Path, first_step: int = 0) -> None:
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

    def picture(self, step: int, weights: Tensor) -> None:
        """Write attention weights (T, S) as a grey picture, 8 pixels a cell, target downwards."""
        cells = weights.clamp(0, 1).repeat_interleave(8, 0).repeat_interleave(8, 1)
        self._writer().add_image("attention/first_validation_pair", cells.unsqueeze(0), step)

    def close(self) -> None:
        """Flush and close."""
        if self._open is not None:
            self._open.close()
