"""Somebody's own score, named as module:Class in a study."""

import hashlib
import importlib
import sys
from pathlib import Path
from traceback import extract_tb
from typing import Any, Unpack

import torch

from seq2seq.attention.keys import answer
from seq2seq.attention.scores.base import Score, Sizes
from seq2seq.config.attention import CustomSettings
from seq2seq.config.errors import UserError, counted
from seq2seq.config.loading import imported_class


def load_score(path: str) -> type[Score]:
    """Import the class that `path` (module:Class) names; a `UserError` if there is none such, or it is no score."""
    module_name, _, class_name = path.partition(":")
    where = f"model.attention.score: {path}"
    try:
        module = importlib.import_module(module_name)
    except ModuleNotFoundError as error:
        problem = f"there is no module '{error.name}'; put the folder that holds it on PYTHONPATH, or install its package"
        if module_name.endswith(".py"):
            problem = "a module is named without .py"
        elif error.name is None or not (module_name + ".").startswith(error.name + "."):
            problem = f"importing '{module_name}' fails: {error}; install it first"
        raise UserError(f"{where}: {problem}") from error
    except SyntaxError as error:
        raise UserError(f"{where}: {error.filename}, line {error.lineno}: {error.msg}; mend the module") from error
    found = getattr(module, class_name, None)
    if found is None:
        raise UserError(f"{where}: module '{module_name}' has no '{class_name}'; check the name after the colon")
    if not (isinstance(found, type) and issubclass(found, Score)):
        raise UserError(f"{where}: '{class_name}' is not a score; derive it from seq2seq.attention.scores.Score")
    return found


def own_code(settings: Any) -> dict[str, str]:
    """Return the SHA-256 of the file of a score that resolved settings import, as `code`; errors as of `load_score`."""
    path = imported_class(settings)
    return {"code": hashlib.sha256(Path(_file(load_score(path))).read_bytes()).hexdigest()} if path else {}


def _file(score_class: type[Score]) -> str:
    """The file of a class; empty for one that was typed into a notebook."""
    return getattr(sys.modules[score_class.__module__], "__file__", None) or ""


def build_custom(settings: CustomSettings, **sizes: Unpack[Sizes]) -> Score:
    """Make the score and try it once; a `UserError` if it does not take the options, or gives scores of the wrong shape."""
    score_class = load_score(settings.path)
    heads, where = sizes["heads"], f"model.attention.score: {settings.path}"
    try:
        score = score_class(**sizes, **settings.options)
    except TypeError as error:
        raise UserError(f"{where} cannot be made with options {settings.options}: {error}") from error
    try:
        with torch.no_grad():
            keys = score.project_keys(torch.zeros(2, heads, 5, sizes["memory_size"]))
            scores = answer(score, torch.zeros(2, heads, 3, sizes["query_size"]), keys, past=None)
    except Exception as error:  # whatever somebody's formula may raise
        file = _file(score_class)
        line = next(
            (f" ({file}, line {at.lineno})" for at in reversed(extract_tb(error.__traceback__)) if at.filename == file), ""
        )
        unequal = sizes["query_size"] != sizes["memory_size"]
        raise UserError(
            f"{where} fails on queries of {sizes['query_size']} and keys of {sizes['memory_size']} features{line}: {error}"
            + "; if it needs equal sizes, put equal_sizes = True into the class" * unequal
        ) from error
    if tuple(scores.shape) != (2, heads, 3, 5):
        raise UserError(
            f"{where} gives scores of shape {tuple(scores.shape)} for 2 sentences, {counted(heads, 'head')}, 3 queries and 5 "
            f"keys; forward must return (B, H, Q, S), here (2, {heads}, 3, 5)"
        )
    return score
