"""The card of every system of a study before anything is trained: formulas, sources, parameters, FLOPs."""

import textwrap
from typing import Any

from torch import nn

from seq2seq.config.data_files import shipped_studies
from seq2seq.config.errors import UserError
from seq2seq.config.loading import load_study
from seq2seq.config.study import RunSettings, Study
from seq2seq.corpus.hub import HubCorpus
from seq2seq.corpus.lookup import open_corpus
from seq2seq.corpus.prepare import prepare
from seq2seq.models.budget import BACKWARD, flops_per_token, meta_model
from seq2seq.models.interface import Model, count_parameters
from seq2seq.models.pretraining import PRETRAINED
from seq2seq.study.matching import changed_settings, match_study

_WIDTH = 120
_LENGTHS = (25, 50)
_NAMES = 40  # letters for the names of a study's systems; of more only the number is told
_ABOUT = (
    "FLOPs: forward pass, two for each multiply-add of a matmul, at S source and T target tokens; training does about "
    f"{BACKWARD} times as many."
)


def describe_study(study: Study) -> str:
    """Describe every system of a study; trains nothing.

    A `UserError` if a model cannot be built or matched or, where its corpus is on this machine, a vocabulary cannot be filled.
    """
    for settings in study.systems.values():
        _check_vocabulary(settings)
    study, matches = match_study(study)
    lines = [f"{study.name}: {study.header.question}" if study.header.question else study.name, *_filled(_ABOUT)]
    lines += [line for match in matches for line in _filled(match)]
    first = next(iter(study.systems))
    for name, settings in study.systems.items():
        lines += ["", *_card(name, settings, None if name == first else (first, study.systems[first]))]
    return "\n".join(lines)


def _check_vocabulary(settings: RunSettings) -> None:
    """Learn the subwords as training would, which finds them in the cache; nothing is fetched for it."""
    try:
        corpus = open_corpus(settings.data, report=lambda _: None)
    except UserError:
        return  # elsewhere: a study can be described without its corpus
    if not isinstance(corpus, HubCorpus) or corpus.folder is not None:
        prepare(settings.data, settings.tokenizer, report=lambda _: None)


def list_studies() -> str:
    """Write the studies that ship with the package, a line each: name, corpus and languages, systems, question."""
    loaded = [load_study(name) for name in shipped_studies()]
    rows = []
    for study in loaded:
        corpora = {f"{s.data.corpus} {s.data.source}-{s.data.target}": None for s in study.systems.values()}
        names = ", ".join(study.systems)
        systems = names if len(names) <= _NAMES else f"{len(study.systems)} systems"
        rows.append((study.name, ", ".join(corpora), systems, study.header.question))
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return "\n".join(
        "  ".join([*(f"{cell:{width}}" for cell, width in zip(row, widths, strict=False)), row[3]]) for row in rows
    )


def _card(name: str, settings: RunSettings, first: tuple[str, RunSettings] | None) -> list[str]:
    model = meta_model(settings)
    blocks = count_parameters(model)
    kinds = settings.model.model_dump(mode="json").items()
    facts = [("model", "; ".join(f"{key}: {_told(value)}" for key, value in kinds))]
    facts += [(part.__name__, f"{_formula(part)} (in {', '.join(paths)})") for part, paths in _parts(model).items()]
    if (pretrain := settings.training.pretrain) is not None:
        facts.append((f"{pretrain.steps:,} updates first", _formula(PRETRAINED[pretrain.kind])))
    facts.append(("parameters", f"{sum(blocks.values()):,} = " + " + ".join(f"{n:,} {block}" for block, n in blocks.items())))
    counted = [f"{flops_per_token(settings, n, n):,.0f} at S = T = {n}" for n in _LENGTHS]
    facts.append(("forward FLOPs per target token", ", ".join(counted)))
    if first is not None:
        facts.append((f"against {first[0]}", changed_settings(first[1], settings) or "no difference"))
    lines = [f"== {name} " + "=" * max(0, _WIDTH - len(name) - 4)]
    return lines + [line for label, text in facts for line in _filled(text, label)]


def _formula(part: Any) -> str:
    return f"{part.formula}. {part.source}. Expected: {part.expects}."


def _told(value: Any) -> str:
    if not isinstance(value, dict):
        return str(value)
    kind = value.get("kind")
    rest = ", ".join(f"{key} {_told(item)}" for key, item in value.items() if key != "kind" and item is not None)
    if kind is None:
        return f"({rest})"
    return f"{kind} ({rest})" if rest else str(kind)


def _parts(model: Model) -> dict[type[nn.Module], dict[str, None]]:
    """Every class of part that has a formula, with the paths of its modules, in order; layers of a stack are one path."""
    found: dict[type[nn.Module], dict[str, None]] = {}
    for name, module in model.named_modules():
        if hasattr(type(module), "formula"):
            path = ".".join("*" if part.isdigit() else part for part in name.split("."))
            found.setdefault(type(module), {})[path] = None
    return found


def _filled(text: str, label: str = "") -> list[str]:
    start, indent = (f"  {label}: ", "      ") if label else ("", "")
    return textwrap.wrap(start + text, _WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
