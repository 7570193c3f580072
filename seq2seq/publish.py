"""A study's results without its weights and without its corpus: what others need to check every number."""

import gzip
import shutil
from pathlib import Path

from seq2seq.errors import UserError
from seq2seq.evaluation import read_settings
from seq2seq.report.runs import read_json
from seq2seq.reporting import corpus_of, finished_runs, write_study_report
from seq2seq.run_folder import RunFolder

_OF_A_STUDY = ("study.yaml", "alignment.json", "interventions.json", "costs.json", "beam_sweep.json")
_OF_A_RUN = ("config.yaml", "summary.json", "environment.json", "log.jsonl", "timing.jsonl")


def publish_study(runs: Path, target: Path, *, arguments: list[str]) -> None:
    """Copy a study's results to a folder that can be put under version control, and write its report there.

    Kept: configs, summaries, environments, logs, hypotheses (gzip, the same bytes each time), sentence counts, analyses, the
    report. Left out: checkpoints, attention weights, TensorBoard events. The embedded corpus is ours, so its
    sentences may be shown; those of any other corpus are left out of every file.

    Args:
        runs: the study's folder.
        target: where to; a study that was published there before is replaced.
        arguments: the command line, for the record.

    Raises:
        UserError: no finished runs, or `target` holds something else.
    """
    folders = finished_runs(runs)
    if target.exists() and any(target.iterdir()) and not (target / "study.yaml").exists():
        raise UserError(f"{target}: not empty and not a published study; give another folder")
    embedded = read_settings(folders[0]).data.corpus == "grammar"
    write_study_report(runs, corpus_of(folders), runs / "report", without_text=not embedded, arguments=arguments)
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    for name in _OF_A_STUDY:
        if (runs / name).exists():
            shutil.copy(runs / name, target / name)
    for folder in folders:
        _publish_run(folder, target / folder.system / folder.path.name)
    for kind in ("report", "statistics"):
        if (runs / kind).exists():
            shutil.copytree(runs / kind, target / kind)


def _publish_run(folder: RunFolder, target: Path) -> None:
    (target / "hypotheses").mkdir(parents=True)
    for name in _OF_A_RUN:
        if (folder.path / name).exists():
            shutil.copy(folder.path / name, target / name)
    for path in sorted((folder.path / "hypotheses").glob("*.txt")):
        (target / "hypotheses" / f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), mtime=0))
        shutil.copy(path.with_suffix(".json"), target / "hypotheses")
    for path in sorted((folder.path / "statistics").glob("*")):
        (target / "statistics").mkdir(exist_ok=True)
        shutil.copy(path, target / "statistics" / path.name)


def published_table(folder: Path) -> str:
    """Return a published study's BLEU by source length as a Markdown table, with n, seeds and intervals."""
    report = read_json(folder / "report" / "report.json")
    systems = report["systems"]
    buckets = next(iter(systems.values()))["buckets"]
    names = [f"{b['min']}-{b['max']}" if b["max"] is not None else f"{b['min']}+" for b in buckets]
    lines = [
        "| system | BLEU | " + " | ".join(names) + " | parameters | seeds |",
        "|---|---:|" + "---:|" * len(names) + "---:|---:|",
        "| *sentences* | | " + " | ".join(str(b["n"]) for b in buckets) + " | | |",
    ]
    for name, system in systems.items():
        cells = " | ".join(f"{b['bleu']:.1f}" for b in system["buckets"])
        lines.append(f"| {name} | {system['bleu']:.1f} | {cells} | {system['parameters']:,} | {len(system['seeds'])} |")
    return "\n".join(lines)
