"""Wording of mistakes: the first of a validation's errors, in the words of a study file and with a suggestion."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from seq2seq.config.base import members, tags

KNOWN_AS: Mapping[str, tuple[str, ...]] = {
    "general": ("bilinear",),
    "multiplicative": ("bilinear",),
    "luong": ("bilinear", "after", "rnn"),
    "bahdanau": ("additive", "before", "rnn"),
    "scaled_dot": ("scaled",),
    "scaled_dot_product": ("scaled",),
    "location_based": ("location",),
    "nmt": ("rnn", "encoder_decoder"),
    "seq2seq": ("encoder_decoder", "rnn"),
    "vaswani": ("transformer", "scaled", "sinusoidal", "inverse_root", "encoder_decoder"),
    "noam": ("inverse_root",),
    "inverse_sqrt": ("inverse_root",),
    "gpt": ("decoder_only",),
    "lr": ("learning_rate",),
    "batch_size": ("batch_tokens",),
    "steps": ("max_steps",),
    "epochs": ("max_steps",),
    "warmup": ("warmup_steps",),
    "beam_size": ("beam",),
    "num_layers": ("layers",),
    "num_heads": ("heads",),
    "d_model": ("hidden_size",),
    "ffn_size": ("feedforward_size",),
    "src": ("source",),
    "tgt": ("target",),
    "trg": ("target",),
}
"""What other trainers and the papers call a setting or a value, and what it may be here."""


def first_mistake(kind: type[BaseModel], error: ValidationError, data: Any) -> tuple[list[str], str, ErrorDetails]:
    """Return the place of the first error that validating `data` as a `kind` gave, its wording, and pydantic's own account."""
    details = error.errors()
    keys = _descend(kind, details[0]["loc"], data)[1]
    branches = [other for other in details if _descend(kind, other["loc"], data)[1] == keys]
    problem = _explain(kind, details[0]) if len(branches) == 1 else _alternatives(branches)
    return keys, problem, details[0]


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the nearest of the known names, or all of them, as the end of a message."""
    options = [str(option) for option in known]
    near = [name for name in KNOWN_AS.get(str(word).lower(), ()) if name in options]
    near = near or difflib.get_close_matches(str(word), options, n=1, cutoff=0.5)
    return f"; did you mean '{near[0]}'?" if near else f"; known: {', '.join(sorted(options))}"


def holds(data: Any, keys: Sequence[str]) -> bool:
    """Whether there is something at a path of nested data."""
    for key in keys:
        if isinstance(data, Mapping) and key in data:
            data = data[key]
        elif isinstance(data, list) and key.isdecimal() and int(key) < len(data):
            data = data[int(key)]
        else:
            return isinstance(data, str) and key == keys[-1]  # shorthand: `score: dot` holds `score.kind`
    return True


def _descend(kind: type[BaseModel], location: Sequence[Any], data: Any = None) -> tuple[type[BaseModel] | None, list[str]]:
    """Follow an error's location through data; what is no setting, key or index, such as a union's tag, is left out."""
    current: type[BaseModel] | None = kind
    choices: list[type[BaseModel]] = []
    keys: list[str] = []
    for item in location:
        tagged = next((member for member in choices if item in tags(member)), None)
        if tagged is not None:
            current, choices = tagged, []
            continue
        field = current.model_fields.get(str(item)) if current is not None else None
        is_key = isinstance(data, list) if isinstance(item, int) else isinstance(data, Mapping) and item in data
        if field is None and not is_key:
            continue
        keys.append(str(item))
        data = data[item] if isinstance(data, Mapping | list) and holds(data, keys[-1:]) else None
        if isinstance(item, int):
            continue
        part = field.annotation if field is not None else None
        choices = list(members(get_args(part)[0] if get_origin(part) is tuple else part))
        if field is not None:
            current = choices[0] if len(choices) == 1 else None
    return current, keys


def _explain(kind: type[BaseModel], detail: ErrorDetails) -> str:
    value, context = detail["input"], detail.get("ctx", {})
    if detail["type"] == "extra_forbidden":
        owner, _ = _descend(kind, detail["loc"][:-1])
        known = list(owner.model_fields) if owner is not None else []
        return f"unknown key{suggest(str(detail['loc'][-1]), known)}"
    if detail["type"] == "union_tag_invalid":
        return f"unknown value '{context['tag']}'{suggest(context['tag'], _literals(context['expected_tags']))}"
    if detail["type"] == "literal_error":
        return f"unknown value {value!r}{suggest(str(value), _literals(context['expected']))}"
    if detail["type"] == "missing":
        return "missing; it has no default"
    if detail["type"] in ("tuple_type", "list_type"):
        if value is None:
            return "expected a list, found nothing"
        seeds = " for the one seed of that number, [1, 2, 3] for three runs" if detail["loc"][-1] == "seeds" else ""
        return f"expected a list, for example [{value}]{seeds}; found {value!r}"
    if detail["type"] == "union_tag_not_found":
        return f"says no kind; write for example {_with_kind(kind, detail)}"
    if detail["type"] in ("model_type", "model_attributes_type", "dict_type"):
        fields = getattr(_descend(kind, detail["loc"])[0], "model_fields", {}) if isinstance(value, str) else {}
        choices = ((name, tags(member)) for name, field in fields.items() for member in members(field.annotation))
        holder = next((name for name, known in choices if value in known), None)
        return f"expected a mapping of settings{f', such as {{{holder}: {value}}}' if holder else ''}, found {value!r}"
    message = detail["msg"].removeprefix("Value error, ").replace("Tuple", "List")
    if detail["type"] == "value_error":
        return message
    return f"{message[0].lower()}{message[1:]}, not {value!r}"


def _alternatives(branches: Sequence[ErrorDetails]) -> str:
    """Explain the error of a value that may be of several types, such as a number or `auto`; words come last."""
    wanted = [
        " or ".join(_literals(branch["ctx"]["expected"]))
        if branch["type"] == "literal_error"
        else branch["msg"].removeprefix("Input should be ").partition(",")[0]
        for branch in sorted(branches, key=lambda branch: branch["type"] == "literal_error")
    ]
    return f"input should be {', or '.join(dict.fromkeys(wanted))}, not {branches[0]['input']!r}"


def _with_kind(kind: type[BaseModel], detail: ErrorDetails) -> str:
    """A part as it was given, with the first kind that has all its options."""
    owner, _ = _descend(kind, detail["loc"][:-1])
    value = detail["input"]
    field = owner.model_fields.get(str(detail["loc"][-1])) if owner else None
    options = list(members(field.annotation)) if field else []
    given = value if isinstance(value, dict) else {}
    fitting = [member for member in options if set(given) <= set(member.model_fields)] or options
    named = f"kind: {tags(fitting[0])[0]}" if fitting else "kind: ..."
    return "{" + ", ".join([named, *(f"{key}: {item}" for key, item in given.items())]) + "}"


def _literals(expected: str) -> list[str]:
    return [part.strip().strip("'") for part in expected.replace(" or ", ", ").split(",")]
