"""Source of a run's arithmetic: its own record, else its study's, else a measurement that becomes both.

One study uses one arithmetic, since its systems are compared: the first run decides, the others take it, and a resumed run
keeps what it began with. Measurements are cached on a machine, so that the same study made again decides the same.
"""

import gc
from collections.abc import Callable
from itertools import islice
from pathlib import Path
from typing import Any

import torch

from seq2seq.config.base import checked
from seq2seq.config.embedded import IMAGE
from seq2seq.config.files import read_json, write_aside
from seq2seq.config.study import RunSettings
from seq2seq.corpus.batching import Batches
from seq2seq.corpus.cache import Cache, digest
from seq2seq.corpus.prepare import PreparedData
from seq2seq.run.arithmetic import Arithmetic, choose_arithmetic
from seq2seq.run.environment import processor
from seq2seq.run.folder import RunFolder
from seq2seq.run.machine import choose_device, prepare_machine
from seq2seq.run.trained import build_for
from seq2seq.run.update import is_out_of_memory, loss_of

_WORK = 1_000_000_000  # parameters times target tokens of a measured batch, at most: gradients in about a tenth of a second
_CPU = torch.device("cpu")
_FEWEST_TOKENS, _FEWEST_STEPS, _BATCHES = 256, 4, 24


def decide_arithmetic(
    folder: RunFolder, settings: RunSettings, data: PreparedData, *, threads: int, device: str | None = None
) -> Arithmetic:
    """Return what a run computes with; a `UserError` names a damaged record.

    Precision and threads that the settings name are used whatever the study has decided; `threads` is for a run whose settings
    and records name none; `device` None takes an accelerator if there is one.
    """
    recorded = folder.recorded("arithmetic", Arithmetic)
    if recorded is not None:
        return recorded
    training = settings.training
    threads = threads if training.threads == "auto" else training.threads
    chosen = choose_device(device)

    def measure() -> Arithmetic:
        if chosen.type == "cuda" and not torch.cuda.is_bf16_supported(including_emulation=False):
            return Arithmetic(threads=threads)
        sizes = [data.source_tokenizer.vocabulary_size, data.target_tokenizer.vocabulary_size, training.batch_tokens]
        what = [settings.model.model_dump(mode="json"), *sizes, round(float(data.train.target_lengths.mean()))]
        try:
            return _measured(what, lambda: gradients_of(settings, data, chosen), training.precision, threads, chosen)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            gc.collect()  # the model that was measured
            return Arithmetic(threads=threads)  # training says what to do about it

    found = _of_study(folder.path.parent.parent, measure)
    asked = {"threads": training.threads, "precision": training.precision}
    return found.model_copy(update={name: value for name, value in asked.items() if value != "auto"})


def evaluation_device(folder: RunFolder | None = None, device: str | None = None) -> torch.device:
    """Set the process up to evaluate a run, and return the device; without a name an accelerator if there is one.

    Matmuls are fp32 by the library that it was trained with, on this process's threads; measured where there is no record.
    """
    threads = torch.get_num_threads()
    recorded = (folder and folder.recorded("arithmetic", Arithmetic)) or _measured("decoding", _decoding_step, "fp32", threads)
    return prepare_machine(Arithmetic(library=recorded.library, threads=threads), device=device).device


def _decoding_step() -> Callable[[int], object]:
    """A step of beam search: states to states, states to gates, states to logits."""
    states = torch.ones(320, 256)
    tables = [torch.ones(columns, 256) for columns in (256, 768, 8000)]
    return lambda _: [states @ table.t() for table in tables]


def gradients_of(settings: RunSettings, data: PreparedData, device: torch.device = _CPU) -> Callable[[int], object]:
    """Return a function that computes gradients of the run's model, untrained, on a batch by its number.

    The batches are those of training, so that each brings new shapes: some libraries compile a program for every one. Of a
    large model's batches some sentences are taken, cut short.
    """
    with torch.random.fork_rng(devices=[]):
        model = build_for(settings, data.source_tokenizer, data.target_tokenizer).to(device)
    model.train()
    batch_tokens = settings.training.batch_tokens
    batches = list(islice(Batches(data.train, batch_tokens=batch_tokens, seed=1, joins=data.joins).epoch(0), _BATCHES))
    tokens = max(_FEWEST_TOKENS, _WORK // sum(parameter.numel() for parameter in model.parameters()))

    def compute(number: int) -> None:
        batch = batches[number % len(batches)]
        whole = batch.target_tokens <= tokens
        rows = None if whole else max(1, tokens // _FEWEST_STEPS)
        steps = None if whole else max(_FEWEST_STEPS, tokens // len(batch.indices))
        part = batch.part(slice(rows), source=None if settings.data.source == IMAGE else steps, target=steps)
        with torch.random.fork_rng(devices=[]):
            loss = loss_of(model, part.to(device), settings.training.label_smoothing)
        loss.smoothed.backward()  # type: ignore[no-untyped-call]
        model.zero_grad()

    return compute


def _measured(
    what: Any, work: Callable[[], Callable[[int], object]], precision: str, threads: int, device: torch.device = _CPU
) -> Arithmetic:
    """Choose by measurement, once on a machine for the same processor, torch, work and threads."""
    where = processor() if device.type == "cpu" else torch.cuda.get_device_name(device)
    key = digest(where, torch.__version__, what, precision, threads)

    def build(folder: Path) -> None:
        chosen = choose_arithmetic(work(), precision, threads=threads, device=device.type)
        (folder / "arithmetic.json").write_text(chosen.model_dump_json(), encoding="utf-8")

    entry = Cache().entry("arithmetic", key, build)
    return Arithmetic.model_validate_json((entry / "arithmetic.json").read_text(encoding="utf-8"))


def _of_study(study: Path, measure: Callable[[], Arithmetic]) -> Arithmetic:
    """Return a study's decision, that of its runs where they were published without it; else measure and write it down."""
    record = study / "arithmetic.json"
    if not record.exists():  # of several processes that come at once the first one decides
        places = sorted(study.glob("*/seed-*/environment.json"))
        known = (RunFolder(place.parent).recorded("arithmetic", Arithmetic) for place in places)
        decided = next((found for found in known if found is not None), None) or measure()
        write_aside(record, decided.model_dump_json(indent=1) + "\n", first=True)
    advice = "remove the file and run the same command again"
    return checked(Arithmetic, read_json(record, advice), record, advice)
