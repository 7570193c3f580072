"""Publish a run or a study as a model on the Hugging Face hub, with a model card.

A repository holds what a run needs to translate, and the records of its training; a study's holds its runs as its folder does.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path

from huggingface_hub import EvalResult, HfApi, ModelCard, ModelCardData

from seq2seq.config.errors import UserError, first_line
from seq2seq.config.study import RunSettings
from seq2seq.corpus.cards import known_cards, read_card
from seq2seq.report.cards import system_card
from seq2seq.report.schema import Report
from seq2seq.report.score_tables import length_table
from seq2seq.report.values import as_markdown
from seq2seq.run.folder import RunFolder
from seq2seq.run.trained import find_runs, read_settings
from seq2seq.study.frames import read_report
from seq2seq.study.publish import copy_config, copy_files


def push(path: Path, name: str, *, private: bool = False, licence: str | None = None, folder: Path | None = None) -> str:
    """Publish a run, or the finished runs of a study, as OWNER/NAME with a model card; returns where it is.

    A new repository may be `private`; `licence` is as the hub writes it (`mit`, `cc-by-4.0`), None leaves it open; with
    `folder` the files are written there and nothing is uploaded. Nothing is uploaded that is not complete.
    """
    runs = [run for run in find_runs(path) if run.is_finished() and run.evaluated().exists()]
    if not runs:
        raise UserError(f"{path}: no finished run with a checkpoint; train it first")
    is_study = not (path / "config.yaml").is_file()
    study = path if is_study else runs[0].path.absolute().parent.parent
    report = read_report(study).report
    if folder is not None and folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise UserError(f"{folder}: already there; give a folder that is empty or does not exist")
    with tempfile.TemporaryDirectory() as temporary:
        staged = folder or Path(temporary)
        for run in runs:
            target = staged / run.system / run.path.name if is_study else staged
            weights = run.evaluated().relative_to(run.path)
            copy_files(run.path, target, "environment.json", "summary.json", "tokenizer/*", f"{weights}/*")
            copy_config(run, target)
        model_card(name, report, runs, licence=licence).save(staged / "README.md")
        if folder is not None:
            return str(folder)
        try:
            hub = HfApi()
            place = hub.create_repo(name, private=private, exist_ok=True)
            hub.upload_folder(repo_id=name, folder_path=staged, commit_message=f"Add {report.study}")
        except Exception as error:  # no token, a name that cannot be, no connection, which is an error of the hub's own client
            raise UserError(f"{name}: not published ({first_line(error)}); `hf auth login` stores a token") from None
    return str(place)


def model_card(name: str, report: Report, runs: Sequence[RunFolder], *, licence: str | None) -> ModelCard:
    """Return the card: what the systems are, sacreBLEU scores as metadata and by length, data, licence, commands."""
    settings = [read_settings(run) for run in runs]
    data = settings[0].data
    results = [result for run in runs for result in _results(report, run, settings[0])]
    metadata = ModelCardData(
        language=[data.source, data.target],
        license=licence,
        library_name="seq2seq",
        pipeline_tag="translation",
        tags=["sequence-to-sequence", "attention"],
        metrics=["sacrebleu"] if results else None,
        model_name=name.rpartition("/")[2],
        eval_results=results or None,
    )
    systems = {run.system: system_card(each.model_dump(mode="json")) for run, each in zip(runs, settings, strict=True)}
    first = f"/{runs[0].system}/{runs[0].path.name}" if len(runs) > 1 else ""
    lines = [
        f"# {name.rpartition('/')[2]}",
        *[f"- **{system}**: `` {card.formula} ``; {card.outline}. {card.source}." for system, card in systems.items()],
        "## Scores by source length",
        f"BLEU on the split `{report.split}` ({report.n:,} sentences), lengths in source {report.length_unit}, of all systems "
        f"of the study, which asks: {report.question}",
        as_markdown(length_table(report)),
        f"sacreBLEU: `{report.signature}`; †: fewer than {report.evaluation['minimum_bucket']} sentences; ↑ ↓: better or worse "
        f"than {report.baseline or 'a baseline'} after Holm's correction.",
        "## Data",
        _data(settings[0]),
        "## Use",
        f"```\nseq2seq translate hub:{name}{first} < source.txt > output.txt\n```",
        "Config, safetensors and tokenizers are data; loading them runs no code.",
        "## Training",
        f"```\n{report.command}\n```",
    ]
    return ModelCard(f"---\n{metadata.to_yaml()}\n---\n\n" + "\n\n".join(lines) + "\n")


def _results(report: Report, run: RunFolder, settings: RunSettings) -> list[EvalResult]:
    system = report.systems.get(run.system)
    if system is None or run.seed not in system.seeds:
        return []
    return [
        EvalResult(
            task_type="translation",
            task_name=f"Translation {settings.data.source}-{settings.data.target}",
            dataset_type=settings.data.corpus,
            dataset_name=settings.data.corpus,
            dataset_split=report.split,
            metric_type="sacrebleu",
            metric_name=f"BLEU, {run.name}",
            metric_value=round(system.seed_bleu[system.seeds.index(run.seed)], 2),
            metric_args={"signature": report.signature},
        )
    ]


def _data(settings: RunSettings) -> str:
    corpus, pair = settings.data.corpus, f"{settings.data.source} to {settings.data.target}"
    if corpus not in known_cards():
        return f"Trained on `{corpus}`, {pair}."
    card = read_card(known_cards()[corpus])
    return " ".join(
        [f"Trained on `{corpus}`, {pair}: {card.description} Licence of the corpus: {card.licence}", *card.citation]
    )
