"""Source of a run's arithmetic: its own record, else its study's, else a measurement that becomes both.

One study uses one arithmetic, since its systems are compared: the first run decides, the others take it, and a resumed run
keeps what it began with. Measurements are cached on a machine, so that the same study made again decides the same.
"""

from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from seq2seq.config.base import checked
from seq2seq.config.files import read_json, write_aside
from seq2seq.config.study import RunSettings
from seq2seq.corpus.cache import Cache, default_cache, digest
from seq2seq.corpus.prepare import PreparedData
from seq2seq.models.build import build_model
from seq2seq.run.arithmetic import Arithmetic, Matmul, choose_arithmetic, matmuls
from seq2seq.run.environment import processor
from seq2seq.run.folder import RunFolder

_DECODING = [Matmul(1, 320, 256, columns, 1.0) for columns in (256, 768, 8000)]
"""A step of beam search: states to states, states to gates, states to logits."""


def decide_arithmetic(
    folder: RunFolder, settings: RunSettings, data: PreparedData, *, threads: int, device: str | None = None
) -> Arithmetic:
    """Return what a run computes with; a `UserError` names a damaged record.

    Precision and threads that the settings name are used whatever the study has decided; `threads` is for a run whose settings
    and records name none. Matmuls are measured on a CPU only; `device` None takes an accelerator if there is one.
    """
    recorded = recorded_arithmetic(folder)
    if recorded is not None:
        return recorded
    training = settings.training
    threads = threads if training.threads == "auto" else training.threads
    is_cpu = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu")).type == "cpu"

    def measure() -> Arithmetic:
        if not is_cpu:
            native = torch.cuda.is_bf16_supported(including_emulation=False)
            return Arithmetic(precision="bf16" if native else "fp32", threads=threads)
        return _measured(_matmuls_of(settings, data), training.precision, threads)

    found = _of_study(folder.path.parent.parent / "arithmetic.json", measure)
    changes: dict[str, object] = {} if training.threads == "auto" else {"threads": threads}
    if training.precision != "auto":
        changes["precision"] = training.precision
    return found.model_copy(update=changes)


def recorded_arithmetic(folder: RunFolder) -> Arithmetic | None:
    """Return what a run was begun with, None where its record does not say."""
    return folder.recorded("arithmetic", Arithmetic)


def evaluation_arithmetic(folder: RunFolder | None = None) -> Arithmetic:
    """Return fp32 by the library that a run was trained with, on this process's threads; measured where there is no record."""
    recorded = (folder and recorded_arithmetic(folder)) or _measured(_DECODING, "fp32", torch.get_num_threads())
    return Arithmetic(library=recorded.library, threads=torch.get_num_threads())


def _matmuls_of(settings: RunSettings, data: PreparedData) -> list[Matmul]:
    with torch.device("meta"):
        model = build_model(
            settings.model,
            source_vocabulary=data.source_tokenizer.vocabulary_size,
            target_vocabulary=data.target_tokenizer.vocabulary_size,
        )
    return matmuls(model, settings.training.batch_tokens, float(data.train.target_lengths.mean()) + 1)


def _measured(shapes: Sequence[Matmul], precision: str, threads: int) -> Arithmetic:
    """Choose by measurement, once on a machine for the same processor, torch, shapes and threads."""
    key = digest(processor(), torch.__version__, [list(shape) for shape in shapes], precision, threads)

    def build(folder: Path) -> None:
        chosen = choose_arithmetic(shapes, precision, threads=threads)
        (folder / "arithmetic.json").write_text(chosen.model_dump_json(), encoding="utf-8")

    entry = Cache(default_cache()).entry("arithmetic", key, build)
    return Arithmetic.model_validate_json((entry / "arithmetic.json").read_text(encoding="utf-8"))


def _of_study(record: Path, measure: Callable[[], Arithmetic]) -> Arithmetic:
    """Return a study's decision; where there is none yet, measure and write it down."""
    if not record.exists():  # of several processes that come at once the first one decides
        write_aside(record, measure().model_dump_json(indent=1) + "\n", first=True)
    advice = "remove the file and run the same command again"
    return checked(Arithmetic, read_json(record, advice), record, advice)
