"""A study's results without its weights and without its corpus: what others need to check every number."""

import hashlib
import lzma
import re
import shutil
import tarfile
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory

from seq2seq.config.errors import UserError
from seq2seq.config.files import PACKED, read_json
from seq2seq.corpus.lookup import is_embedded, publishable
from seq2seq.report.analyses import Analyses
from seq2seq.report.build import build_report
from seq2seq.report.runs import RUNS, is_published, named, study_folders
from seq2seq.report.scoring import SLOW
from seq2seq.report.study import check_texts, study_runs, texts_of, translated_splits
from seq2seq.report.write import write_report
from seq2seq.run.environment import portable_command
from seq2seq.run.folder import RunFolder, dump_yaml, write_json
from seq2seq.run.hypotheses import OWN
from seq2seq.run.trained import read_settings

_OF_A_STUDY = ("study.yaml", *(f"{name}.json" for name in Analyses.model_fields), "statistics/*")
_OF_A_RUN = (
    *("summary.json", "environment.json", "log.jsonl", "timing.jsonl"),
    *(f"{kind}/*" for kind in ("hypotheses", "attention", "statistics", "analysis")),
)

_FILE_LINK = re.compile(r'(?:, )?<a href="([\w.]+)">[^<]*</a> ?')
"""A link to a file beside the page, with the comma before it."""


def publish_study(runs: Path, target: Path, *, arguments: list[str], with_page: bool = False) -> None:
    """Write a study's report and its evidence to a folder that can be put under version control.

    `report/` gets report.md, report.json.xz and the figures, `with_page` also the page (about 0.6 MB), less its links to other
    files. `runs.tar.xz` gets, of every run, finished or not: config, summary, environment, logs, hypotheses, sentence counts,
    analyses, attention on our own sentences; the same bytes each time. Left out: checkpoints, other attention, TensorBoard
    events, and the counts where everybody can derive the corpus and count again (but TER, which takes minutes). Sentences of a
    corpus whose card says `publishable: true` may be shown, as those of the grammar and the probes; those of any other are left
    out of every file. Nothing is written into `runs`; the target is written aside and renamed when it is complete.
    """
    target = _check_target(runs, target)
    folders = study_runs(runs)
    _check_revisions(folders)
    data = read_settings(folders[0]).data
    shown = publishable(data)
    texts = texts_of(folders)
    check_texts(folders, texts)
    if not shown and (unknown := sorted(set(translated_splits(study_folders(runs)[0])) - set(texts))):
        raise UserError(
            f"{runs}: the corpus is needed to leave its sentences out of {', '.join(unknown)}; set $SEQ2SEQ_DATA and "
            "run this again"
        )
    aside = target.with_name(f".{target.name}.{uuid.uuid4().hex[:12]}.publishing")
    try:
        with TemporaryDirectory() as place, named(edition := Path(place) / "runs", runs):
            _copy_study(runs, edition)
            report = Path(place) / "report"
            built = build_report(edition, texts, command=portable_command(arguments))
            write_report(built, report, without_text=not shown)
            copy_files(report, aside / "report", "report.md", "*.png")
            if with_page:
                page = (report / "index.html").read_text(encoding="utf-8")
                there = {path.name for path in (aside / "report").iterdir()}
                page = _FILE_LINK.sub(lambda found: found[0] if found[1] in there else "", page)
                (aside / "report" / "index.html").write_text(page, encoding="utf-8")
            numbers = (report / "report.json").read_bytes()
            (aside / "report" / f"report.json{PACKED}").write_bytes(lzma.compress(numbers, preset=9))
            counts = is_embedded(data) and SLOW not in built.report.evaluation["metrics"]
            _leave_out(edition, {} if shown else {name: text.references for name, text in texts.items()}, counts=counts)
            pack_runs(edition, aside / RUNS)
        _replace(target, aside)
    except OSError as error:
        raise UserError(f"{target}: cannot be written ({error.strerror or error}); what was there is untouched") from None
    finally:
        shutil.rmtree(aside, ignore_errors=True)


def _replace(target: Path, complete: Path) -> None:
    """Rename a complete folder to `target`; what was there stays beside it until that is done."""
    if not target.exists():
        complete.rename(target)
        return
    before = complete.with_suffix(".before")
    target.rename(before)
    try:
        complete.rename(target)
    except BaseException:  # also where the person interrupts
        before.rename(target)
        raise
    shutil.rmtree(before)


def _check_target(runs: Path, target: Path) -> Path:
    """Return the target's own path if a study may be published there."""
    if is_published(runs):
        raise UserError(f"{runs}: a published study already; copy the folder")
    here, there = runs.resolve(), target.resolve()
    if here == there or here in there.parents or there in here.parents:
        raise UserError(f"{target}: is, contains or lies in {runs}, which would be replaced; give a folder elsewhere")
    if target.exists() and not target.is_dir():
        raise UserError(f"{target}: not a folder; give another name")
    if target.is_symlink():
        raise UserError(f"{target}: a link to {there}; give the folder itself")
    if not target.exists() or not any(target.iterdir()):
        return there
    if not is_published(target):
        raise UserError(f"{target}: not empty and not a published study; give another folder")
    if foreign := sorted({path.name for path in target.iterdir()} - {RUNS, "report"}):
        raise UserError(f"{target}: also holds {', '.join(foreign[:5])}, which publishing would remove; move it elsewhere")
    return there


def _check_revisions(folders: Sequence[RunFolder]) -> None:
    nameless = [folder for folder in folders if not folder.read_environment().get("revision")]
    if nameless:
        names = ", ".join(folder.name for folder in nameless[:5])
        raise UserError(
            f"{nameless[0].environment}: no revision of the code that trained {names}{' ...' if len(nameless) > 5 else ''}; "
            "results that nobody can make again are not published, so train from a git checkout"
        )


def _copy_study(runs: Path, edition: Path) -> None:
    """Copy what is published of a study, and what its report is made from: plain hypotheses and attention."""
    copy_files(runs, edition, *_OF_A_STUDY)
    for folder in study_folders(runs)[0]:  # also those that are not finished: the report says what became of them
        place = edition / folder.system / folder.path.name
        copy_files(folder.path, place, *_OF_A_RUN)
        copy_config(folder, place)


def copy_files(source: Path, target: Path, *patterns: str) -> None:
    """Copy the files that match a pattern, with the folders that they lie in."""
    target.mkdir(parents=True, exist_ok=True)
    for path in (path for pattern in patterns for path in source.glob(pattern) if path.is_file()):
        place = target / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, place)


def copy_config(folder: RunFolder, place: Path) -> None:
    """Write a run's config with its corpus named in place of a folder on this machine; others find `$SEQ2SEQ_DATA/<name>`."""
    settings = read_settings(folder).model_dump(mode="json")
    data = settings["data"]
    data["path"], data["corpus"] = None, Path(data["corpus"]).name.removesuffix(".yaml").removesuffix(".yml")
    (place / "config.yaml").write_text(dump_yaml(settings), encoding="utf-8")


def _leave_out(edition: Path, hidden: Mapping[str, Sequence[str]], *, counts: bool) -> None:
    """Remove attention but that on our own sentences, sentences of `hidden` from the hypotheses, and with `counts` these."""
    for place in list(edition.rglob("statistics")) if counts else ():
        shutil.rmtree(place)
    for run in study_folders(edition)[0]:
        for path in (run.path / "attention").glob("*"):
            if path.stem != OWN:
                path.unlink()
        for path in (run.path / "hypotheses").glob("*.txt"):
            if path.stem in hidden:
                hide_references(path, hidden[path.stem])


def hide_references(path: Path, references: Sequence[str]) -> None:
    """Empty the hypotheses that equal their reference, a sentence of the corpus; their indices are kept beside them."""
    facts = read_json(path.with_suffix(".json"))
    if facts.get("as_reference"):  # published before, and unpacked to go on with the study
        return
    content = path.read_bytes()
    lines = content.decode().split("\n")[:-1]
    same = [i for i, (line, reference) in enumerate(zip(lines, references, strict=True)) if line and line == reference]
    for i in same:
        lines[i] = ""
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")
    write_json(path.with_suffix(".json"), {**facts, "as_reference": same, "sha256": hashlib.sha256(content).hexdigest()})


def pack_runs(folder: Path, archive: Path) -> None:
    """Write the files of a folder as one archive, the same bytes each time; by kind, so that xz sees what runs share."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    with tarfile.open(archive, "w:xz", preset=9) as packed:
        for path in sorted(files, key=lambda path: (path.suffix, path.parent.name, path.name, path)):
            entry = tarfile.TarInfo(path.relative_to(folder).as_posix())
            entry.size = path.stat().st_size
            with path.open("rb") as content:
                packed.addfile(entry, content)
