"""The runs of a study in memory, one after the other, each with its corpus and the device it is on."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch

from seq2seq.config.training import SearchSettings
from seq2seq.corpus.prepare import PreparedData, prepare
from seq2seq.report.analysis.alignment import align_run
from seq2seq.report.analysis.collect import collect_analyses
from seq2seq.report.analysis.costs import measure_costs
from seq2seq.report.analysis.interventions import intervene
from seq2seq.report.analysis.probe import probe_run
from seq2seq.report.analysis.sweep import choose, mean_points, tune_run
from seq2seq.report.runs import read_json
from seq2seq.run.decision import evaluation_arithmetic
from seq2seq.run.machine import prepare_machine
from seq2seq.run.trained import TrainedRun, find_runs, load_run, translate_tests, write_attention


def loaded_runs(folder: Path, *, allow_code: bool = False) -> Iterator[tuple[TrainedRun, PreparedData, torch.device]]:
    """Yield every finished run under a folder; a corpus is prepared once.

    Raises:
        UserError: no runs there, a run without weights, or a corpus that cannot be had.
    """
    runs = find_runs(folder)
    device = prepare_machine(evaluation_arithmetic(runs[0])).device
    corpora: dict[str, PreparedData] = {}
    for place in runs:
        if not place.is_finished():
            continue
        run = load_run(place, device, allow_code=allow_code)
        key = f"{run.settings.data} {run.settings.tokenizer}"
        if key not in corpora:
            corpora[key] = prepare(run.settings.data, run.settings.tokenizer, report=lambda _: None)
        yield run, corpora[key], device


def analyse_study(folder: Path, *, allow_code: bool = False, say: Callable[[str], None]) -> list[str]:
    """Translate and analyse every finished run (alignment, interventions, costs, probe); gather it beside the runs.

    What is there already is kept. Takes seconds a run on small models.

    Args:
        folder: of the study.
        allow_code: let configs import classes of their own.
        say: told one line a run.

    Returns:
        The analyses that the study has now, by file name without `.json`.
    """
    for run, data, device in loaded_runs(folder, allow_code=allow_code):
        say(f"[{run.folder.system} seed {run.folder.seed}] alignment, interventions, costs")
        translate_tests(run, data, device)
        if run.settings.data.probe is not None:
            probe_run(run.folder)
        align_run(run, data, device)
        intervene(run, data, device)
        measure_costs(run, data, device)
    return collect_analyses(folder)


def tune_study(folder: Path, *, apply: bool = False, allow_code: bool = False, say: Callable[[str], None]) -> None:
    """Tune every finished run of a study, write `beam_sweep.json` beside them and say what was chosen for each system.

    Args:
        folder: of the study.
        apply: translate the test splits again with what was chosen.
        allow_code: let configs import classes of their own.
        say: told one line a system.
    """
    sweeps: dict[str, list[list[dict[str, Any]]]] = {}
    for run, data, device in loaded_runs(folder, allow_code=allow_code):
        sweeps.setdefault(run.folder.system, []).append(tune_run(run, data, device)["points"])
    chosen = {system: choose(mean_points(some)) for system, some in sweeps.items()}
    for system, best in chosen.items():
        say(f"{system}: beam {best['beam']}, length penalty {best['length_penalty']:g}, BLEU {best['bleu']:.2f} on validation")
    for run, data, device in loaded_runs(folder, allow_code=allow_code) if apply else ():
        best = {name: chosen[run.folder.system][name] for name in ("beam", "length_penalty")}
        translate_again(run, data, run.settings.search.model_copy(update=best), device)
    collect_analyses(folder)


def translate_again(run: TrainedRun, data: PreparedData, search: SearchSettings, device: torch.device) -> None:
    """Translate the test splits with another search, in place of the hypotheses that are there, and redraw their attention.

    The record beside them says how they were searched; the run's config keeps what it was trained with. A report that was
    made before no longer stands: `report --verify` says so until the report is made again.
    """
    changed = replace(run, settings=run.settings.model_copy(update={"search": search}))
    for name in data.tests:
        path = run.folder.hypotheses(name)
        for old in (path.with_suffix(".json"), path):
            old.unlink(missing_ok=True)
    translate_tests(changed, data, device)
    for name, split in data.tests.items():
        drawn = run.folder.path / "attention" / f"{name}.json"
        if drawn.exists():
            write_attention(changed, name, split, [record["index"] for record in read_json(drawn)], device)
