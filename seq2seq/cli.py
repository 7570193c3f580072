"""Arguments in, one call out, errors as one line. Nothing heavy is imported before a command needs it."""

import os
import signal
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from seq2seq.config.errors import RunError, UserError

app = typer.Typer(
    add_completion=False,
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train sequence-to-sequence models with switchable attention, and measure what attention does to long sentences.",
)

# typer brings its own copy of click from version 0.20 on: take the class that it really raises
_ClickException: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

StudyFile = Annotated[Path, typer.Argument(metavar="STUDY", help="A study file, such as configs/demo.yaml.")]
Systems = Annotated[list[str] | None, typer.Option("--system", metavar="NAME", help="Only this system (repeatable).")]
Seeds = Annotated[
    list[int] | None, typer.Option("--seed", metavar="N", min=0, max=2**63 - 1, help="Only this seed (repeatable).")
]
Overrides = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="PATH=VALUE", help="Lay a setting over every system asked for (repeatable)."),
]

AllowCode = Annotated[
    bool, typer.Option("--allow-code", help="Let a run's config import a class of its own (score: module:Class).")
]


@app.command()
def train(
    context: typer.Context,
    study: StudyFile,
    system: Systems = None,
    seed: Seeds = None,
    set_: Overrides = None,
    out: Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs go; default runs/<study>.")] = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs side by side; default: the study's, else one a core.")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="KIND", help="Make each run a job: slurm, or local to try it.")] = None,
    cluster_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="For submitit, such as slurm_partition=gpu (repeatable).")
    ] = None,
) -> None:
    """Train every system x seed of a study; finished runs are skipped, interrupted ones go on."""
    from seq2seq.config.loading import load_study, system_of

    loaded = load_study(study, set_ or (), system or ())
    for name in system or ():
        system_of(loaded, name)
    from seq2seq.study.runner import train_study

    place = out or Path("runs") / loaded.name
    if cluster is None:
        finished = train_study(loaded, out=place, systems=system or (), seeds=seed or (), jobs=jobs, arguments=context.obj)
    else:
        from seq2seq.study.cluster import cluster_study

        finished = cluster_study(loaded, place, system or (), seed or (), cluster, cluster_option or ())
    if not finished:
        raise KeyboardInterrupt
    if os.environ.get("RANK", "0") == "0":  # several processes of one run tell it once
        print(f"report: python evaluate.py report {place}")


@app.command()
def report(
    context: typer.Context,
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="A study's folder, such as runs/demo.")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Score the stored hypotheses again and fail on any difference.")
    ] = False,
    without_text: Annotated[bool, typer.Option("--without-text", help="Leave corpus sentences out of every file.")] = False,
    allow_code: AllowCode = False,
) -> None:
    """Score, compare and explain a study's runs: writes RUNS/report/."""
    from seq2seq.report.study import report_study, verify_study

    if verify:
        verify_study(runs)
    else:
        report_study(runs, without_text=without_text, allow_code=allow_code, arguments=context.obj)


@app.command()
def publish(
    context: typer.Context,
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="A study's folder, such as runs/demo.")],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where results go, such as results/demo.")],
) -> None:
    """Copy a study's results without weights and without corpus sentences, with its report."""
    from seq2seq.report.published import length_table
    from seq2seq.study.publish import publish_study

    publish_study(runs, target, arguments=context.obj)
    print(length_table(target))


@app.command()
def translate(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/demo/additive/seed-1.")],
    beam: Annotated[int | None, typer.Option(min=1, help="Hypotheses kept a sentence; default: the run's setting.")] = None,
    allow_code: AllowCode = False,
) -> None:
    """Translate lines from standard input to standard output."""
    from seq2seq.run.lines import translate_lines

    translate_lines(run, sys.stdin.buffer, sys.stdout, beam=beam, allow_code=allow_code)


@app.command()
def describe(study: StudyFile, set_: Overrides = None) -> None:
    """Print each system's formula, parameters and FLOPs per target token; trains nothing."""
    from seq2seq.config.loading import load_study
    from seq2seq.study.describe import describe_study

    print(describe_study(load_study(study, set_ or ())))


@app.command()
def tune(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="A study's folder, or a run's.")],
    apply: Annotated[
        bool, typer.Option("--apply", help="Translate the test sets again with what was chosen for each system.")
    ] = False,
    allow_code: AllowCode = False,
) -> None:
    """Choose beam and length penalty for each system on the validation set: writes RUNS/beam_sweep.json."""
    from seq2seq.report.analysis.runs import tune_study

    tune_study(runs, apply=apply, allow_code=allow_code, say=print)


@app.command()
def probe(
    runs: Annotated[Path, typer.Argument(metavar="RUNS", help="A study's folder, or a run's.")],
    allow_code: AllowCode = False,
) -> None:
    """Print exact match by source length of runs trained on a synthetic probe, of others BLEU on short pairs joined."""
    from seq2seq.report.analysis.probe_study import probe_study

    print(probe_study(runs, allow_code=allow_code))


@app.command()
def explore(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, or folders of runs.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8321,
    allow_code: AllowCode = False,
) -> None:
    """Open a page on this machine where every system translates what one types and shows its attention."""
    from seq2seq.study.explore.server import serve

    serve(runs, port=port, allow_code=allow_code)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 a run failed, 2 the user's mistake, 130 interrupted."""
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        status = app(arguments, standalone_mode=False, obj=arguments, prog_name="seq2seq")
        return status if isinstance(status, int) else 0
    except _ClickException as error:
        return _say(error.format_message(), 2)
    except UserError as error:
        return _say(str(error), 2)
    except RunError as error:
        return _say(str(error), 1)
    except (KeyboardInterrupt, typer.Abort):
        return 128 + signal.SIGINT
    except BrokenPipeError:
        sys.stderr.close()
        return 1


def _say(text: str, status: int) -> int:
    if text:  # several processes of one run fail together, and one of them tells why
        print("error: " + " ".join(text.split("\n")), file=sys.stderr)
    return status
