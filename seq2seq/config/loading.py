"""From a YAML file to a validated study; a mistake is one line with its dotted path, file line and a suggestion."""

import os
from collections.abc import Mapping, Sequence
from functools import lru_cache, reduce
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import YAMLError

from seq2seq.config.base import CHOICES, spell_out
from seq2seq.config.data_files import find_study, shipped_path
from seq2seq.config.differences import flatten
from seq2seq.config.errors import UserError, first_line
from seq2seq.config.evaluation import EvaluationSettings
from seq2seq.config.mistakes import first_mistake, holds, suggest
from seq2seq.config.study import RunSettings, Study, StudyHeader
from seq2seq.config.training import FallingSchedule

T = TypeVar("T", bound=BaseModel)

_DEFAULT_CHOICE = {"architecture": "encoder_decoder", "encoder": "rnn", "decoder": "rnn"}
_RESERVED = ("report", "statistics", "cluster")
"""Names of what else stands in a study's folder of runs."""
_LONGEST_NAME = 100


def read_yaml(path: Path) -> Any:
    """Read one YAML 1.2 document with its line numbers; a `UserError` if it is no file, no text, no YAML, or repeats a key."""
    if not path.is_file():
        raise UserError(f"{path}: no such file")
    try:
        return _parsed(path.read_text(encoding="utf-8"))
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); save the file as UTF-8") from None
    except (YAMLError, ValueError, RecursionError, AttributeError, TypeError) as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        raise UserError(f"{path}{line}: not valid YAML: {_problem(error)}") from None


@lru_cache(maxsize=256)
def _parsed(text: str) -> Any:
    """Parse a document once: a report asks for each config several times. Callers copy it (`plain`) before they change it."""
    return YAML(typ="rt", pure=True).load(text)


def _problem(error: Exception) -> str:
    return first_line(ValueError(problem) if (problem := getattr(error, "problem", None)) else error)


def plain(value: Any) -> Any:
    """Turn what the YAML reader returns into dicts, lists and scalars, with anchors copied."""
    if isinstance(value, Mapping):
        return {key if isinstance(key, str) else str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool) or value is None:
        return value
    for scalar in (int, float, str):
        if isinstance(value, scalar):
            return scalar(value)
    return value


def merge(base: Any, change: Any, key: str = "") -> Any:
    """Lay a change over a base: mappings are merged, anything else is replaced.

    A part whose `kind` (or `architecture`) changes is replaced whole, since the old kind's options do not apply to the new.
    """
    if isinstance(base, str) and isinstance(change, dict) and not set(CHOICES) & set(change) and change:
        base = spell_out(base)
    if not (isinstance(base, dict) and isinstance(change, dict)):
        return change
    for choice in CHOICES:
        default = _DEFAULT_CHOICE.get(choice, _DEFAULT_CHOICE.get(key))
        if choice in change and change[choice] != base.get(choice, default):
            return change
    return {**base, **{name: merge(base[name], item, name) if name in base else item for name, item in change.items()}}


def _join(earlier: Any, later: Any) -> Any:
    """Join two overrides so that neither loses a setting of the other: `positions=learned` leaves `positions.max_positions`."""
    if isinstance(earlier, str) and isinstance(later, dict):
        earlier = spell_out(earlier)
    if isinstance(earlier, dict) and isinstance(later, str):
        later = spell_out(later)
    if not (isinstance(earlier, dict) and isinstance(later, dict)):
        return later
    return {**earlier, **{name: _join(earlier[name], item) if name in earlier else item for name, item in later.items()}}


def parse_override(text: str) -> dict[str, Any]:
    """Read `training.max_steps=500` as {"training": {"max_steps": 500}}; the value is YAML."""
    path, sign, value = text.partition("=")
    if not sign or not path.strip():
        raise UserError(f"--set {text}: expected PATH=VALUE, for example --set training.max_steps=500")
    try:
        result: Any = plain(YAML(typ="safe", pure=True).load(value)) if value.strip() else None
    except YAMLError as error:
        raise UserError(f"--set {text}: the value is not valid YAML: {_problem(error)}") from None
    for part in reversed(path.strip().split(".")):
        result = {part: result}
    return dict(result)


def with_absolute_paths(settings: Any, folder: Path) -> Any:
    """Make every relative `data.path`, and every `data.corpus` that is the path of a card, one below `folder`.

    So a run can be read from any folder. Where there is nothing below `folder`, that of the settings' file, but something below
    the current folder, that is meant.
    """
    if not isinstance(settings, dict):
        return settings
    found = {key: with_absolute_paths(value, folder) for key, value in settings.items()}
    data = found.get("data")
    if isinstance(data, dict):
        for key, value in data.items():
            is_path = key == "path" or (key == "corpus" and str(value).endswith((".yaml", ".yml")))
            if is_path and isinstance(value, str) and value and not value.startswith("~"):
                there = [place for base in (folder, Path()) if (place := base / value).exists()]
                absolute = os.path.normpath((there or [folder / value])[0].absolute())
                found["data"] = {**found["data"], key: absolute}
    return found


def load_study(path: Path | str, overrides: Sequence[str] = (), systems: Sequence[str] = ()) -> Study:
    """Read, merge and validate a study file, or the study of that name that ships; a `UserError` says in a line what is wrong.

    `overrides` are `PATH=VALUE` texts that apply to every system, as from `--set`; `systems` are the only ones that are wanted,
    empty for all: an override that does not fit another one leaves it as written.
    """
    given, path = path, find_study(Path(path))
    document = read_yaml(path)
    if not isinstance(document, CommentedMap):
        raise UserError(f"{path}: a study is a mapping with 'base' and 'systems'; see {shipped_path('configs', 'demo.yaml')}")
    raw = with_absolute_paths(plain(document), path.parent)
    base, written = raw.pop("base", {}) or {}, raw.pop("systems", None)
    if not isinstance(base, dict):
        raise UserError(f"{path}: base: expected a mapping of settings, found {base!r}")
    if not isinstance(written, dict) or not written:
        raise UserError(f"{path}: systems: expected at least one named system; see {shipped_path('configs', 'demo.yaml')}")
    changes = [with_absolute_paths(parse_override(text), Path()) for text in overrides]
    joined: dict[str, Any] = reduce(_join, changes, {})
    known = {*RunSettings.model_fields, *StudyHeader.model_fields}
    if unknown := [key for key in joined if key not in known]:
        if unknown[0] in ("base", "systems"):
            raise UserError(f"--set {unknown[0]}: goes over every system; name the setting alone, as training.max_steps=500")
        raise UserError(f"--set {unknown[0]}: unknown key{suggest(unknown[0], known)}")
    for_header = {key: value for key, value in joined.items() if key in StudyHeader.model_fields}
    for_systems = {key: value for key, value in joined.items() if key not in for_header}
    header = _validate(StudyHeader, raw, path, document, [()], for_header)
    resolved = {}
    for name, change in written.items():
        _check_name(name, path)
        if not isinstance(change, dict | None):
            raise UserError(f"{path}: systems.{name}: expected the settings that it changes, found {change!r}")
        merged = merge(base, change or {})
        places = [("systems", name), ("base",)]
        try:
            resolved[name] = _validate(RunSettings, merged, path, document, places, for_systems)
        except UserError:
            if not for_systems or not systems or name in systems:
                raise
            resolved[name] = _validate(RunSettings, merged, path, document, places)
    study = Study(
        name=path.stem,
        path=str(given),
        header=header,
        systems=resolved,
        overrides=tuple(overrides),
    )
    _check_study(study, for_systems)
    return study


def _check_name(name: str, path: Path) -> None:
    where = f"{path}: systems.{name[:_LONGEST_NAME]}"
    if not name or not all(c.isalnum() or c in "-_.+" for c in name) or name[0] in ".-":
        raise UserError(
            f"{where}: a system's name is a folder's name: letters, digits, '-', '_', '.', '+', and no '.' or '-' in front"
        )
    if len(name.encode()) > _LONGEST_NAME:
        raise UserError(f"{where}: a system's name is a folder's name: at most {_LONGEST_NAME} letters, not {len(name)}")
    if name.lower() in _RESERVED or name.lower().endswith((".yaml", ".json")):
        raise UserError(f"{where}: something else is called so in the folder of runs; choose another name for the system")


def _check_study(study: Study, overrides: Mapping[str, Any]) -> None:
    """Refuse what only the whole study shows."""
    evaluation, match = study.header.evaluation, study.header.match
    named = {"match.to": match.to if match else None, "evaluation.baseline": evaluation.baseline}
    if evaluation.baseline == type(evaluation).model_fields["baseline"].default:
        del named["evaluation.baseline"]  # the default asks for no system; without it there are no differences
    for key, name in named.items():
        if name is not None and name not in study.systems:
            raise UserError(f"{study.path}: {key}: unknown system {name!r}{suggest(name, study.systems)}")
    for name, settings in study.systems.items():
        try:
            study.bleu_tokenizer(name)
        except UserError as error:
            raise UserError(f"{study.path}: {error}") from None
        training = settings.training
        falls = isinstance(training.schedule, FallingSchedule)
        if falls and training.warmup_steps > training.max_steps and not _cut_short(overrides):
            raise UserError(
                f"{study.path}: systems.{name}.training.warmup_steps: the {training.schedule.kind} schedule ends at max_steps "
                f"{training.max_steps}, before the warm-up of {training.warmup_steps} steps does; lower warmup_steps or raise "
                "max_steps"
            )


def _cut_short(overrides: Mapping[str, Any]) -> bool:
    """Whether `--set` does nothing to the schedule but end it early, as for a trial."""
    changed = set(overrides["training"]) if isinstance(overrides.get("training"), Mapping) else set()
    return "max_steps" in changed and not changed & {"warmup_steps", "schedule"}


def part_from(kind: type[T], data: Any, where: str) -> T:
    """Validate settings of one kind, such as a run's `config.yaml`, read or given; `where` begins an error's message."""
    if not isinstance(data, Mapping):
        raise UserError(f"{where}: expected a mapping of settings")
    return _validate(kind, plain(data), Path(where), data, [()])


def imported_class(settings: Any) -> str | None:
    """Return the first `module:Class` that resolved settings would import, if any."""
    if isinstance(settings, Mapping):
        if settings.get("kind") == "custom":
            return str(settings["path"])
        settings = list(settings.values())
    if isinstance(settings, list | tuple):
        return next((found for item in settings if (found := imported_class(item))), None)
    return None


def load_evaluation(overrides: Sequence[str] = ()) -> EvaluationSettings:
    """Return settings of scoring without a study, from `evaluation.OPTION=VALUE`; a `UserError` for one without effect."""
    data: Any = {}
    for text in overrides:
        change = parse_override(text)
        if set(change) != {"evaluation"}:
            raise UserError(f"--set {text}: only settings of evaluation apply here, such as evaluation.tokenizer=zh")
        data = _join(data, change)
    found = _validate(StudyHeader, {}, Path("--set"), {}, [()], data).evaluation
    if idle := sorted(found.model_fields_set - {"buckets", "tokenizer"}):
        raise UserError(f"--set evaluation.{idle[0]}: changes no score here; evaluation.buckets and evaluation.tokenizer do")
    return found


def _validate(
    kind: type[T],
    data: Any,
    path: Path,
    document: Any,
    prefixes: list[tuple[str, ...]],
    overrides: dict[str, Any] | None = None,
) -> T:
    merged = merge(data, overrides or {})
    try:
        return kind.model_validate(merged)
    except ValidationError as error:
        keys, problem, detail = first_mistake(kind, error, merged)
    if overrides and holds(overrides, keys) and not (isinstance(detail["input"], dict) and _has_fault(kind, data, detail)):
        raise UserError(f"--set {'.'.join(keys) or ', '.join(flatten(overrides))}: {problem}")
    parts = [keys[:length] for length in range(len(keys), 0, -1)] or [keys]  # a missing key belongs where its part is
    where = next((prefix for part in parts for prefix in prefixes if holds(document, (*prefix, *part))), prefixes[-1])
    dotted = ".".join((*where, *keys)) or "the file"
    raise UserError(f"{path}{_line_of(document, (*where, *keys))}: {dotted}: {problem}")


def _has_fault(kind: type[BaseModel], data: Any, detail: ErrorDetails) -> bool:
    """Whether settings without the overrides have a fault in the part that an error is about, which may be all of them."""
    try:
        kind.model_validate(data)
    except ValidationError as error:
        return any(other["loc"][: len(detail["loc"])] == detail["loc"] for other in error.errors())
    return False


def _line_of(document: Any, keys: Sequence[str]) -> str:
    line = ""
    for key in keys:
        if not isinstance(document, CommentedMap) or key not in document:
            break
        line = f":{document.lc.key(key)[0] + 1}"
        document = document[key]
    return line


def system_of(study: Study, name: str) -> RunSettings:
    """Return a system's settings; a `UserError` suggests a name if there is none such."""
    if name not in study.systems:
        raise UserError(f"{study.path}: systems: no system named '{name}'{suggest(name, study.systems)}")
    return study.systems[name]
