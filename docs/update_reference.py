"""Pages made from the code: `python docs/update_reference.py` (or `make reference`) writes them.

`attention.md` lists every member of the attention family, `settings.md` every setting of a study file; `study.schema.json` is
the JSON schema that editors check study files with, `report.schema.json` that of `report.json`.
"""

import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema
from pydantic_core import PydanticUndefined
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from seq2seq.attention.fixed import FIXED
from seq2seq.attention.mechanisms import MECHANISMS
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import POSITIONS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.attention import AttentionSettings, NormaliserSettings, ScaleSettings, ScoreSettings, WindowSettings
from seq2seq.config.base import CHOICES, Settings, members, tags
from seq2seq.config.model import (
    ConvEncoderSettings,
    EncoderDecoderSettings,
    ImageEncoderSettings,
    RnnDecoderSettings,
    RnnEncoderSettings,
)
from seq2seq.config.study import RunSettings, StudyHeader
from seq2seq.config.training import PretrainingSettings
from seq2seq.config.transformer import (
    DecoderOnlySettings,
    MechanismSettings,
    PositionSettings,
    TransformerDecoderSettings,
    TransformerEncoderSettings,
)
from seq2seq.models.pretraining import PRETRAINED
from seq2seq.report.schema import Report

FOLDER = Path(__file__).resolve().parent

FAMILIES: tuple[tuple[str, str, str, Mapping[str, Any], Any], ...] = (
    ("Scores", "model.attention.score", "How query q and key k are compared.", SCORES, ScoreSettings),
    ("Fixed contexts", "model.attention.score", "What stands in the place of a comparison.", FIXED, ScoreSettings),
    ("Scales", "model.attention.scale", "What scores are multiplied by.", SCALES, ScaleSettings),
    (
        "Normalisers",
        "model.attention.normaliser",
        "How the scores of a row become its weights.",
        NORMALISERS,
        NormaliserSettings,
    ),
    ("Windows", "model.attention.window", "Where a query at target position t may look.", WINDOWS, WindowSettings),
    (
        "Positions",
        "model.encoder.positions, model.decoder.positions",
        "How a Transformer knows order.",
        POSITIONS,
        PositionSettings,
    ),
    (
        "Mechanisms of self-attention",
        "model.encoder.self_attention.mechanism, model.decoder.self_attention.mechanism, model.self_attention.mechanism",
        "Who sees whom, and at what cost.",
        MECHANISMS,
        MechanismSettings,
    ),
    (
        "Warm starts",
        "training.pretrain",
        "What a part of the model learns from the text of one side before it learns to translate.",
        PRETRAINED,
        PretrainingSettings,
    ),
)

PLACES: tuple[tuple[str, type[BaseModel], str], ...] = (
    ("model.attention", AttentionSettings, "heads"),
    ("model.attention", AttentionSettings, "attention_size"),
    ("model.attention", AttentionSettings, "dropout"),
    ("model.attention", AttentionSettings, "gates"),
    ("model.decoder", RnnDecoderSettings, "placement"),
    ("model.decoder", RnnDecoderSettings, "input_feeding"),
)
"""Settings of the bridge that are no member of a family."""

ARCHITECTURES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("architecture: encoder_decoder", EncoderDecoderSettings),
    ("encoder: {kind: rnn}", RnnEncoderSettings),
    ("encoder: {kind: conv}", ConvEncoderSettings),
    ("encoder: {kind: image}", ImageEncoderSettings),
    ("encoder: {kind: transformer}", TransformerEncoderSettings),
    ("decoder: {kind: rnn}", RnnDecoderSettings),
    ("decoder: {kind: transformer}", TransformerDecoderSettings),
    ("architecture: decoder_only", DecoderOnlySettings),
)
"""What the bridge stands between; any encoder goes with any decoder."""

_INTRODUCTION = """\
# The attention family

An attention is composed: score x scale x normaliser x window x heads. This page is made from the code by
`python docs/update_reference.py`; a test fails when it is out of date. A name is what a study file says, for example

```yaml
attention: {score: additive, normaliser: entmax15, heads: 1}
attention: {score: {kind: bilinear, rank: 64}, window: {kind: local_p, width: 10}}
attention: {score: "my_module:MyScore"}   # a class of your own, derived from seq2seq.attention.scores.Score
```

q is a query, k a key, v a value, s a source position, t or p the position that asks, n the length of the source, d or D the
features that are compared, H the number of heads. *Expected* is what theory lets one expect, not what was measured."""


def catalogue() -> str:
    """Return the page as Markdown."""
    parts = [_INTRODUCTION]
    for title, key, about, family, settings in FAMILIES:
        by_tag = {name: member for member in members(settings) for name in tags(member)}
        parts.append(f"## {title}\n\n{about} In a study: `{key}`.\n\n{_table(family, by_tag)}")
    parts.append(f"## Heads and placement\n\nHow often is asked, by whom and when, for any score.\n\n{_places()}")
    parts.append(f"## Architectures\n\nWhat asks and what is asked, under `model`.\n\n{_architectures()}")
    return "\n\n".join(parts) + "\n"


def _places() -> str:
    rows = ["| setting | meaning |", "|---|---|"]
    for where, settings, name in PLACES:
        field = settings.model_fields[name]
        rows.append(f"| `{where}.{name}`{_default(field.get_default())} | {_cell(field.description or '')} |")
    return "\n".join(rows)


def _architectures() -> str:
    rows = ["| in a study | what it is |", "|---|---|"]
    rows += [f"| `{name}` | {_cell((settings.__doc__ or '').partition(chr(10) * 2)[0])} |" for name, settings in ARCHITECTURES]
    return "\n".join(rows)


def _table(members: Mapping[str, type[nn.Module]], settings: Mapping[str, type[BaseModel]]) -> str:
    rows = ["| name | formula | source | expected | options |", "|---|---|---|---|---|"]
    for name, member in members.items():
        formula, source, expects = (_cell(getattr(member, word)) for word in ("formula", "source", "expects"))
        rows.append(f"| `{name}` | {formula} | {source} | {expects} | {_options(settings[name])} |")
    return "\n".join(rows)


def _options(settings: type[BaseModel]) -> str:
    fields = {name: field for name, field in settings.model_fields.items() if name != "kind"}
    return "<br>".join(
        f"`{name}`{_default(field.get_default())}: {_cell(field.description or '')}" for name, field in fields.items()
    )


def _default(value: Any) -> str:
    if value is PydanticUndefined:
        return ""
    return f" (default {'null' if value is None else str(value).lower()})"


def _cell(text: str) -> str:
    """Text for a cell: one line, nothing that Markdown or a table would take for its own."""
    text = " ".join(text.split())
    for mark in "\\|*_<>[]":
        text = text.replace(mark, f"\\{mark}")
    return text


_SETTINGS = """\
# Settings of a study file

A study file has one `base` and named `systems` that each say only what they change; `data`, `tokenizer`, `model`, `training`
and `search` stand under `base` or under a system. `--set PATH=VALUE` takes the same paths. This page is made from the code by
`python docs/update_reference.py`; a test fails when it is out of date. A part with a kind is written as `score: dot`, or with
its options as `score: {kind: bilinear, rank: 64}`; scores, scales, normalisers, windows, positions, mechanisms and warm starts
with their options stand in [the attention family](attention.md).

Editors that know the YAML language server complete and check these settings if a file's first line names the schema:
`# yaml-language-server: $schema=../docs/study.schema.json`."""

_ELSEWHERE = ("score", "scale", "normaliser", "window", "positions", "mechanism", "pretrain")
"""Settings whose members the page on the attention family lists, all but somebody's own score."""


def settings_page() -> str:
    """Return the page of settings as Markdown."""
    told: set[type[BaseModel]] = set()
    parts = [_SETTINGS, _section("The study", "", StudyHeader), *_sections("", StudyHeader, told)]
    return "\n\n".join([*parts, *_sections("", RunSettings, told)]) + "\n"


def _sections(path: str, settings: type[BaseModel], told: set[type[BaseModel]]) -> Iterator[str]:
    """Yield a section for each group of settings below a class, and for each member of a union, unless it was told before."""
    for name, field in settings.model_fields.items():
        found, place = list(members(field.annotation)), f"{path}.{name}" if path else name
        for member in found if name not in _ELSEWHERE else [m for m in found if "custom" in tags(m)]:
            choice = next((key for key in CHOICES if key in member.model_fields), None) if len(found) > 1 else None
            if member in told or set(member.model_fields) == {choice}:
                continue
            told.add(member)
            yield _section(f"`{place}: {{{choice}: {' or '.join(tags(member))}}}`" if choice else f"`{place}`", place, member)
            yield from _sections(place, member, told)


def _section(title: str, place: str, settings: type[BaseModel]) -> str:
    rows = [f"## {title}", "", (settings.__doc__ or "").strip(), "", "| setting | default | meaning |", "|---|---|---|"]
    for name, field in settings.model_fields.items():
        if name not in CHOICES or len(get_args(field.annotation)) > 1:  # a kind with one value names the class
            shown = f"{place}.{name}" if place else name
            rows.append(f"| `{shown}` | {_default_cell(field.get_default(call_default_factory=True))} | {_meaning(field)} |")
    return "\n".join(rows)


def _default_cell(value: Any) -> str:
    if value is PydanticUndefined:
        return "required"
    if isinstance(value, Settings):
        kind = getattr(value, "kind", None) or getattr(value, "architecture", None)
        return f"`{kind}`" if kind else "below"
    return f"`{json.dumps(value)}`"


def _meaning(field: Any) -> str:
    found = [name for member in members(field.annotation) for name in tags(member)] or _words(field.annotation)
    which = "Any" if get_origin(field.annotation) is tuple else "One"
    kinds = f" {which} of {', '.join(f'`{kind}`' for kind in found)}." if len(found) > 1 else ""
    return _cell(field.description or "") + kinds


def _words(annotation: Any) -> list[str]:
    """The words that a setting takes, of a list of them as well; none where it also takes a number."""
    parts = get_args(annotation)
    if get_origin(annotation) is Literal:
        return [part for part in parts if isinstance(part, str)]
    return [word for part in parts if part is not type(None) for word in _words(part)]


def study_schema() -> dict[str, Any]:
    """Return the JSON schema of study files: the settings' own, in which a system may leave out what the base says."""
    both = [(StudyHeader, "validation"), (RunSettings, "validation")]
    (references, schema) = models_json_schema(both, ref_template="#/$defs/{model}")  # type: ignore[arg-type]
    definitions = _as_written(schema["$defs"])
    header = definitions.pop("StudyHeader")
    run = references[RunSettings, "validation"]
    header["properties"]["base"] = {**run, "description": "What all systems share."}
    header["properties"]["systems"] = {
        "type": "object",
        "minProperties": 1,
        "additionalProperties": {"anyOf": [run, {"type": "null"}]},
        "description": "The systems by name, each with what it changes.",
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **header,
        "title": "seq2seq study",
        "required": ["systems"],
        "$defs": definitions,
    }


def _as_written(node: Any) -> Any:
    """The same schema for what a person may write: nothing required, a part named by a word, one word in place of a list."""
    if isinstance(node, list):
        return [_as_written(item) for item in node]
    if not isinstance(node, dict):
        return node
    made = {key: _as_written(item) for key, item in node.items() if key not in ("required", "discriminator")}
    if "oneOf" in made:
        made["anyOf"] = made.pop("oneOf")
    chosen = node.get("discriminator", {})
    if chosen.get("propertyName") == "kind":
        names = list(chosen["mapping"])
        made["anyOf"].append({"enum": names})
        if "custom" in names:
            made["anyOf"].append({"type": "string", "pattern": ":"})
    if made.get("type") == "array" and made.get("items", {}).get("type") == "string":
        made = {"anyOf": [made, made["items"]], **{key: made.pop(key) for key in ("default", "description") if key in made}}
    return made


def pages() -> dict[str, str]:
    """Return every page by its name in `docs/`."""
    report = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Report.model_json_schema(mode="serialization")}
    schemas = {"study.schema.json": study_schema(), "report.schema.json": report}
    pages = {name: json.dumps(schema, indent=1, ensure_ascii=False) + "\n" for name, schema in schemas.items()}
    return {"attention.md": catalogue(), "settings.md": settings_page(), **pages}


def main(folder: Path = FOLDER) -> None:
    """Write the pages."""
    for name, text in pages().items():
        (folder / name).write_text(text, encoding="utf-8")
        print(f"wrote {name}", file=sys.stderr)


if __name__ == "__main__":
    main()
