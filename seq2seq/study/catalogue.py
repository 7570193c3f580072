"""Every member of the attention family in tables made from the code; `python -m seq2seq.study.catalogue` writes them."""

import sys
from collections.abc import Mapping
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic_core import PydanticUndefined
from torch import nn

from seq2seq.attention.fixed import FIXED
from seq2seq.attention.mechanisms import MECHANISMS
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import POSITIONS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES
from seq2seq.attention.windows import WINDOWS
from seq2seq.config.attention import AttentionSettings, NormaliserSettings, ScaleSettings, ScoreSettings, WindowSettings
from seq2seq.config.model import ConvEncoderSettings, EncoderDecoderSettings, RnnDecoderSettings, RnnEncoderSettings
from seq2seq.config.transformer import (
    DecoderOnlySettings,
    MechanismSettings,
    PositionSettings,
    TransformerDecoderSettings,
    TransformerEncoderSettings,
)

PLACE = Path("docs") / "attention.md"

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
        "model.encoder.self_attention.mechanism, model.decoder.self_attention.mechanism",
        "Who sees whom, and at what cost.",
        MECHANISMS,
        MechanismSettings,
    ),
)

PLACES: tuple[tuple[str, type[BaseModel], str], ...] = (
    ("model.attention", AttentionSettings, "heads"),
    ("model.attention", AttentionSettings, "attention_size"),
    ("model.attention", AttentionSettings, "dropout"),
    ("model.decoder", RnnDecoderSettings, "placement"),
    ("model.decoder", RnnDecoderSettings, "input_feeding"),
)
"""Settings of the bridge that are no member of a family."""

ARCHITECTURES: tuple[tuple[str, type[BaseModel]], ...] = (
    ("architecture: encoder_decoder", EncoderDecoderSettings),
    ("encoder: {kind: rnn}", RnnEncoderSettings),
    ("encoder: {kind: conv}", ConvEncoderSettings),
    ("encoder: {kind: transformer}", TransformerEncoderSettings),
    ("decoder: {kind: rnn}", RnnDecoderSettings),
    ("decoder: {kind: transformer}", TransformerDecoderSettings),
    ("architecture: decoder_only", DecoderOnlySettings),
)
"""What the bridge stands between; any encoder goes with any decoder."""

_INTRODUCTION = """\
# The attention family

An attention is composed: score x scale x normaliser x window x heads. This page is made from the code by
`python -m seq2seq.study.catalogue`; a test fails when it is out of date. A name is what a study file says, for example

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
    for title, key, about, members, settings in FAMILIES:
        parts.append(f"## {title}\n\n{about} In a study: `{key}`.\n\n{_table(members, _settings_by_kind(settings))}")
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


def _settings_by_kind(annotation: Any) -> dict[str, type[BaseModel]]:
    """The settings classes that an annotated union may stand for, by their `kind`."""
    origin = get_origin(annotation)
    if origin is Annotated:
        return _settings_by_kind(get_args(annotation)[0])
    if origin in (Union, UnionType):
        return {kind: found for member in get_args(annotation) for kind, found in _settings_by_kind(member).items()}
    return {annotation.model_fields["kind"].default: annotation}


def main(place: Path = PLACE) -> None:
    """Write the page."""
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(catalogue(), encoding="utf-8")
    print(f"wrote {place}", file=sys.stderr)


if __name__ == "__main__":
    main()
