"""The runs of a study in memory, one after the other, each with its corpus."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from seq2seq.config.data import with_tests
from seq2seq.config.errors import UserError
from seq2seq.corpus.prepare import EvaluationData, encode_tests
from seq2seq.report.analysis.alignment import align_run
from seq2seq.report.analysis.collect import collect_analyses, mean
from seq2seq.report.analysis.concatenation import concatenate_run
from seq2seq.report.analysis.costs import measure_costs
from seq2seq.report.analysis.interventions import intervene
from seq2seq.report.analysis.probe import length_ranges, probe_run, share
from seq2seq.report.analysis.sweep import choose, tune_run
from seq2seq.report.runs import finished_runs
from seq2seq.report.values import Cell, Measured, Table, as_text
from seq2seq.report.values import share as percent
from seq2seq.run.decision import evaluation_device
from seq2seq.run.folder import RunFolder
from seq2seq.run.hypotheses import attend_own, check_sentences, translate_tests
from seq2seq.run.trained import TrainedRun, check_code, load_run, read_settings
from seq2seq.scoring.metrics import METRICS


def loaded_runs(
    folder: Path, *, allow_code: bool = False, validation: bool = False
) -> Iterator[tuple[TrainedRun, EvaluationData]]:
    """Yield every finished run under a folder, with its test splits (or that of validation) as its own tokenizers cut them."""
    folders, device = _ready(folder, allow_code)
    for place in folders:
        run = load_run(place, device, allow_code=allow_code)
        yield run, splits_of(run, validation=validation)


def _ready(folder: Path, allow_code: bool) -> tuple[list[RunFolder], torch.device]:
    folders = finished_runs(folder)
    check_code(folders, allow_code=allow_code)
    return folders, evaluation_device(folders[0])


def splits_of(run: TrainedRun, *, validation: bool = False, further: Sequence[str] = ()) -> EvaluationData:
    """Return the splits that `loaded_runs` yields with a run."""
    data = with_tests(run.settings.data, further)
    names = (data.valid,) if validation else data.test
    return encode_tests(data, names, run.source_tokenizer, run.target_tokenizer)


def analyse_study(folder: Path, *, allow_code: bool = False, further: Sequence[str] = (), again: bool = False) -> list[str]:
    """Translate and analyse every finished run (alignment, interventions, costs, probe); gather it beside the runs.

    What is there already is kept; runs whose weights are gone keep what they have, unless translations are missing. Takes
    seconds a run on small models, and prints a line for each, and one for all that cannot be analysed for the same reason.
    `further` splits are translated beside those of the configs; with `again` also what was translated by other weights, with
    another search or of other sentences. Returns the names of the analyses that the study has now.
    """
    folders, device = _ready(folder, allow_code)
    passed_over: dict[str, list[str]] = {}
    measured: set[str] = set()
    for place in folders:
        try:
            run = load_run(place, device, allow_code=allow_code)
        except UserError as error:
            wanted = with_tests(read_settings(place).data, further).test
            if again or not all(place.hypotheses(split).exists() for split in wanted):
                raise
            reason = str(error).replace(str(place.path), str(folder / "..."))
            passed_over.setdefault(reason, []).append(place.name)
            continue
        print(f"[{place.name}] alignment, interventions, costs")
        data = splits_of(run, further=further)
        translate_tests(run, data, again=again)
        if run.settings.data.probe is not None:
            probe_run(run.folder)
        align_run(run, data)
        intervene(run, data)
        measure_costs(run, data, decoding=place.system not in measured)
        measured.add(place.system)
        attend_own(run)
    for reason, names in passed_over.items():
        first = f"{names[0]} and {len(names) - 1} more" if len(names) > 1 else names[0]
        print(f"[{first}] not analysed, translations and earlier analyses are used as they are: {reason}")
    return collect_analyses(folder)


def tune_study(folder: Path, *, apply: bool = False, allow_code: bool = False) -> None:
    """Tune every finished run of a study, write `beam_sweep.json` beside them and print what was chosen for each system.

    With `apply` the test splits are translated again with what was chosen, and what was there is set aside; a report that was
    made before no longer stands. A `UserError` if sentences to choose on or to translate changed since the run.
    """
    sweeps: dict[str, list[Any]] = {}
    for run, data in loaded_runs(folder, allow_code=allow_code, validation=True):
        run.folder.check_fingerprints({name: data.fingerprints[name] for name in data.tests})
        if apply:
            for name, fingerprint in splits_of(run).fingerprints.items():
                check_sentences(run.folder.hypotheses(name), run.folder.decoding(name), fingerprint)
        sweeps.setdefault(run.folder.system, []).append(tune_run(run, data)["points"])
    chosen = {system: choose(mean(some)) for system, some in sweeps.items()}
    for system, best in chosen.items():
        print(
            f"{system}: beam {best['beam']}, length penalty {best['length_penalty']:g}, BLEU {best['bleu']:.2f} on validation"
        )
    for run, data in loaded_runs(folder, allow_code=allow_code) if apply else ():
        best = {name: chosen[run.folder.system][name] for name in ("beam", "length_penalty")}
        search = run.settings.search.model_copy(update=best)
        changed = replace(run, settings=run.settings.model_copy(update={"search": search}))
        translate_tests(changed, data, again=True, instead_of=run.settings.search)
    collect_analyses(folder)


def probe_study(path: Path, *, allow_code: bool = False) -> str:
    """Probe every finished run under a folder, and gather the results beside the runs for the report; returns a table.

    Runs on a synthetic probe: exact match in percent, by source length, from their hypotheses. Runs on any other corpus: BLEU
    on short pairs of the test split joined to long ones (`concatenation`).
    """
    folders = finished_runs(path)
    if read_settings(folders[0]).data.probe is not None:
        title = "exact match, % of answers"
        found = {folder.name: _exact_match(folder) for folder in folders}
    else:
        loaded = loaded_runs(path, allow_code=allow_code)
        points = {run.folder.name: concatenate_run(run, data)["points"] for run, data in loaded}
        title = "BLEU, short pairs joined"
        found = {name: {f"{p['joined']} joined": _bleu(p["counts"]) for p in some} for name, some in points.items()}
    if not (path / "config.yaml").is_file():
        collect_analyses(path)
    heads = next(iter(found.values()))
    return f"{title}\n{as_text(Table(heads=['run', *heads], rows=[[name, *cells.values()] for name, cells in found.items()]))}"


def _exact_match(folder: RunFolder) -> dict[str, Cell]:
    found = probe_run(folder)
    right = [(length, each == "1") for length, each in zip(found["lengths"], found["right"], strict=True)]
    ranges = length_ranges(found["trained"], max(found["lengths"]))
    return {f"{low}-{high} words": percent(share(r for n, r in right if low <= n <= high), digits=1) for low, high in ranges}


def _bleu(counts: list[list[float]] | None) -> Cell:
    return "refused" if counts is None else Measured(float(METRICS["bleu"].score(np.sum(counts, axis=0))))
