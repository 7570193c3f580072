"""Arguments in, one call out, errors as one line. Nothing heavy is imported before a command needs it."""

import errno
import os
import shlex
import signal
import sys
from pathlib import Path
from typing import Annotated, Any, Literal

import typer

from seq2seq.config.errors import FREE_SPACE, RunError, UserError
from seq2seq.run.progress import EVENTS
from seq2seq.run.signals import Interrupted, interrupt, on_signals
from seq2seq.run.streams import checked_streams

for _name, _value in {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}.items():
    os.environ.setdefault(_name, _value)  # read when torch is imported: threads that wait must not keep others from the cores

app = typer.Typer(
    context_settings={"help_option_names": ["--help", "-h"]},
    pretty_exceptions_enable=False,
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Train sequence-to-sequence models with switchable attention, and measure what attention does to long sentences.",
)

_DISK = {errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO}
"""A disk that is full, broken or not to be written."""

# typer brings its own copy of click from version 0.20 on: take the class that it really raises
_ClickException: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")

StudyFile = Annotated[
    Path, typer.Argument(metavar="STUDY", help="A study file, or the name of a study that ships, such as demo.")
]
Runs = Annotated[Path, typer.Argument(metavar="RUNS", help="A study's folder, or a run's.")]
StudyRuns = Annotated[Path, typer.Argument(metavar="RUNS", help="A study's folder, such as runs/demo.")]
Out = Annotated[Path | None, typer.Option(metavar="DIR", help="Where runs go; default runs/<study>.")]
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
    out: Out = None,
    jobs: Annotated[int | None, typer.Option(min=1, help="Runs side by side; default: the study's, else one a core.")] = None,
    cluster: Annotated[str | None, typer.Option(metavar="KIND", help="Make each run a job: slurm, or local to try it.")] = None,
    cluster_option: Annotated[
        list[str] | None, typer.Option(metavar="KEY=VALUE", help="For submitit, such as slurm_partition=gpu (repeatable).")
    ] = None,
    report_: Annotated[
        bool, typer.Option("--report", help="Write the report at the end, as the command `report` does.")
    ] = False,
) -> None:
    """Train every system x seed of a study; finished runs are skipped, interrupted ones resumed."""
    from seq2seq.config.loading import imported_class, load_study, system_of

    if cluster_option and cluster is None:
        raise UserError(f"--cluster-option {cluster_option[0]}: goes with --cluster slurm, or leave it out to train here")
    if jobs and cluster is not None:
        raise UserError("--jobs: is about this machine, and a cluster places its jobs itself; leave it out with --cluster")
    loaded = load_study(study, set_ or (), system or ())
    for name in system or ():
        system_of(loaded, name)
    from seq2seq.study.runner import train_study

    place = out or Path("runs") / loaded.name
    if cluster is None:
        train_study(loaded, out=place, systems=system or (), seeds=seed or (), jobs=jobs, arguments=context.obj)
    else:
        from seq2seq.study.cluster import submit_study

        submit_study(loaded, out=place, kind=cluster, systems=system or (), seeds=seed or (), options=cluster_option or ())
    code = any(imported_class(settings.model_dump()) for settings in loaded.systems.values())
    arguments = ["report", str(place), *(["--allow-code"] if code else [])]
    if os.environ.get("RANK", "0") != "0" or EVENTS in os.environ:
        return  # one process of a run goes on, and a study for its children
    if report_:
        app(arguments, standalone_mode=False, obj=arguments)
    else:
        print(f"report: {shlex.join(['seq2seq', *arguments])}")


@app.command()
def demo(context: typer.Context, set_: Overrides = None, out: Out = None) -> None:
    """Train the demo study and write its report: three systems, minutes on a laptop, no data and no network needed."""
    train(context, Path("demo"), set_=set_, out=out, report_=True)


@app.command()
def studies() -> None:
    """List the studies that ship with the package: name, corpus, systems and question."""
    from seq2seq.study.describe import list_studies

    print(list_studies())


@app.command()
def report(
    context: typer.Context,
    runs: StudyRuns,
    verify: Annotated[
        bool, typer.Option("--verify", help="Score the stored hypotheses again and fail on any difference.")
    ] = False,
    split: Annotated[
        str | None, typer.Option(metavar="NAME", help="Report on this split of the corpus instead, in RUNS/report-NAME/.")
    ] = None,
    retranslate: Annotated[
        bool, typer.Option("--retranslate", help="Translate test sets again that have changed since; the old ones are kept.")
    ] = False,
    without_text: Annotated[bool, typer.Option("--without-text", help="Leave corpus sentences out of every file.")] = False,
    allow_code: AllowCode = False,
) -> None:
    """Score, compare and explain a study's runs: writes RUNS/report/."""
    from seq2seq.report.study import report_study
    from seq2seq.report.verify import verify_study

    if verify and retranslate:
        raise UserError("--verify changes nothing, so --retranslate does not go with it; give one of them")
    if verify:
        verify_study(runs, split)
    else:
        report_study(
            runs, split=split, retranslate=retranslate, without_text=without_text, allow_code=allow_code, arguments=context.obj
        )


@app.command()
def score(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="What was translated, one sentence a line, or .gz.")],
    reference: Annotated[Path, typer.Argument(metavar="REFERENCE", help="The right translations.")],
    hypotheses: Annotated[list[Path], typer.Argument(metavar="HYPOTHESES...", help="Translations, by whomever.")],
    set_: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="PATH=VALUE", help="Buckets or BLEU's tokenizer, such as evaluation.tokenizer=intl."),
    ] = None,
    source_language: Annotated[str, typer.Option(metavar="CODE", help="Decides how length is counted.")] = "en",
    target_language: Annotated[str, typer.Option(metavar="CODE", help="Chooses the tokenizer of BLEU, such as zh.")] = "en",
) -> None:
    """Print BLEU by source length of any translations."""
    from seq2seq.config.loading import load_evaluation
    from seq2seq.report.others import score_files

    settings, languages = load_evaluation(set_ or ()), (source_language, target_language)
    print(score_files(source, reference, hypotheses, settings, languages=languages))


@app.command()
def publish(
    context: typer.Context,
    runs: StudyRuns,
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where results go, such as results/demo.")],
    with_page: Annotated[bool, typer.Option("--with-page", help="Keep the report's page (0.6 MB) as well.")] = False,
) -> None:
    """Write a study's report, and its runs without weights and corpus sentences as runs.tar.xz."""
    from seq2seq.report.published import published_table
    from seq2seq.study.publish import publish_study

    publish_study(runs, target, arguments=context.obj, with_page=with_page)
    print(published_table("lengths", target))


@app.command()
def translate(
    run: Annotated[
        Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/demo/additive/seed-1, or hub:OWNER/NAME.")
    ],
    beam: Annotated[
        int | None, typer.Option(min=1, max=1000, help="Hypotheses kept a sentence; default: the run's setting.")
    ] = None,
    length_penalty: Annotated[
        float | None, typer.Option(min=0.0, max=10.0, help="Exponent of the length penalty; default: the run's setting.")
    ] = None,
    max_length: Annotated[
        int | None,
        typer.Option(min=1, max=65_536, help="Subwords of a translation, at most; default: in proportion to its source."),
    ] = None,
    n_best: Annotated[int, typer.Option(min=1, help="Translations of each line, best first, at most the beam.")] = 1,
    scores: Annotated[
        bool, typer.Option("--scores", help="Write line number, score, 'cut' or nothing, and text, separated by tabs.")
    ] = False,
    with_attention: Annotated[
        bool, typer.Option("--with-attention", help="Write a JSON object a line: subwords, scores and attention.")
    ] = False,
    allow_code: AllowCode = False,
) -> None:
    """Translate lines from standard input to standard output, each as soon as it is there."""
    from seq2seq.run.lines import LineOptions, translate_lines

    for name, stream in (("input", sys.stdin), ("output", sys.stdout)):
        if stream is None:
            raise UserError(f"standard {name} is closed; translate reads lines from one and writes them to the other")
    options = LineOptions(beam, length_penalty, max_length, n_best, scores, with_attention)
    translate_lines(run, sys.stdin.buffer, sys.stdout, options=options, allow_code=allow_code)


@app.command()
def push(
    path: Annotated[Path, typer.Argument(metavar="RUN|STUDY", help="A run's folder, or a study's, with its report.")],
    name: Annotated[str, typer.Argument(metavar="OWNER/NAME", help="The name on the Hugging Face hub.")],
    private: Annotated[bool, typer.Option("--private", help="Make a new repository private.")] = False,
    licence: Annotated[str | None, typer.Option("--license", metavar="NAME", help="Of the model, such as mit.")] = None,
    folder: Annotated[
        Path | None, typer.Option(metavar="DIR", help="Write the files there to look at, and upload nothing.")
    ] = None,
) -> None:
    """Publish a model on the Hugging Face hub, with a model card and its scores; translate reads it as hub:OWNER/NAME."""
    from seq2seq.study.push import push

    print(push(path, name, private=private, licence=licence, folder=folder))


@app.command()
def export(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="A run's folder, such as runs/europarl/transformer/seed-1.")],
    target: Annotated[Path, typer.Argument(metavar="DIR", help="Where to; empty, or does not exist.")],
    to: Annotated[
        Literal["ctranslate2", "onnx"], typer.Option("--to", help="ctranslate2 for a Transformer, onnx for a recurrent model.")
    ] = "ctranslate2",
) -> None:
    """Write a trained model for serving without this package."""
    from seq2seq.run.export import export_ctranslate2, export_onnx

    {"ctranslate2": export_ctranslate2, "onnx": export_onnx}[to](run, target)
    print(f"{target}: a model for {to}, with source.model and target.model for sentencepiece")


@app.command()
def describe(study: StudyFile, set_: Overrides = None) -> None:
    """Print each system's formula, parameters and FLOPs per target token; trains nothing."""
    from seq2seq.config.loading import load_study
    from seq2seq.study.describe import describe_study

    print(describe_study(load_study(study, set_ or ())))


@app.command()
def tune(
    runs: Runs,
    apply: Annotated[
        bool, typer.Option("--apply", help="Translate the test sets again with what was chosen for each system.")
    ] = False,
    allow_code: AllowCode = False,
) -> None:
    """Choose beam and length penalty for each system on the validation set: writes RUNS/beam_sweep.json."""
    from seq2seq.report.analysis.runs import tune_study

    tune_study(runs, apply=apply, allow_code=allow_code)


@app.command()
def probe(runs: Runs, allow_code: AllowCode = False) -> None:
    """Print exact match by source length of runs trained on a synthetic probe, of others BLEU on short pairs joined."""
    from seq2seq.report.analysis.runs import probe_study

    print(probe_study(runs, allow_code=allow_code))


@app.command()
def cache(
    empty: Annotated[
        bool, typer.Option("--empty", help="Remove it all; what is needed again is made again. Not while runs are going on.")
    ] = False,
) -> None:
    """Show what lies in the cache: corpora as read and as subwords, tokenizers, what was measured on this machine."""
    from seq2seq.corpus.cache import describe_cache

    print(describe_cache(empty=empty))


@app.command()
def explore(
    runs: Annotated[list[Path], typer.Argument(metavar="RUN...", help="Runs, or folders of runs.")],
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port on this machine; 0 takes a free one.")] = 8321,
    allow_code: AllowCode = False,
) -> None:
    """Open a page on this machine where every system translates what one types and shows its attention."""
    from seq2seq.study.explore import explore as serve

    serve(runs, port=port, allow_code=allow_code)


def main(arguments: list[str] | None = None) -> int:
    """Run a command; returns the exit status: 0 done, 1 a run failed, 2 the user's mistake, 128 + the signal that ended it.

    One of several processes ends here: torch's threads between them abort one that has finished, if the machine is busy.
    """
    status = _status_of(arguments)
    if os.environ.get("WORLD_SIZE", "1") != "1":
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    return status


def _status_of(arguments: list[str] | None) -> int:
    arguments = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    try:
        with on_signals(interrupt), checked_streams():
            status = app(arguments, standalone_mode=False, obj=arguments, prog_name="seq2seq")
        return status if isinstance(status, int) else 0
    except _ClickException as error:
        return _say(error.format_message(), 2)
    except UserError as error:
        return _say(str(error), 2)
    except RunError as error:
        return _say(str(error), 1)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        place = f"{error.filename}: " if error.filename else ""
        return _say(f"{place}{error.strerror}; {FREE_SPACE}", 1)
    except Interrupted as error:
        return 128 + error.number
    except (KeyboardInterrupt, typer.Abort):
        return 128 + signal.SIGINT


def _say(text: str, status: int) -> int:
    if text:  # several processes of one run fail together, and one of them tells why
        with checked_streams():
            print("error: " + " ".join(text.split("\n")), file=sys.stderr)
    return status
