"""Paths of the files that travel with the code: studies, corpus cards, the grammar, the papers' numbers.

They stand at the top of a checkout. A wheel holds them inside the package (`force-include` in pyproject.toml), so that they are
found wherever it is installed.
"""

import difflib
from pathlib import Path

from seq2seq.config.errors import UserError

_PACKAGE = Path(__file__).resolve().parents[1]


def shipped_path(*parts: str) -> Path:
    """Find a file or folder, as `"data", "grammar"`, in an installed package or a checkout; a `UserError` if in neither."""
    for root in (_PACKAGE, _PACKAGE.parent):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    wanted = "/".join(parts)
    raise UserError(
        f"{wanted}: neither in {_PACKAGE} (an installation) nor in {_PACKAGE.parent} (a checkout); reinstall seq2seq"
    )


def data_path(*parts: str) -> Path:
    """Find a file or folder of `data/`."""
    return shipped_path("data", *parts)


def shipped_studies() -> dict[str, Path]:
    """Return the study files that ship with the package, by name."""
    return dict(sorted((path.stem, path) for path in shipped_path("configs").glob("*.yaml")))


def find_study(study: Path) -> Path:
    """Return a study's file: the one named, or the one that ships under this name; a `UserError` if there is neither."""
    if study.is_file():
        return study
    shipped = shipped_studies()
    if str(study) in shipped:
        return shipped[str(study)]
    if study.stem in shipped:
        hint = f"; the study that ships with the package is called by its name, {study.stem}"
    else:
        files = {str(path): path.name for path in study.parent.glob("*.yaml")}
        near = difflib.get_close_matches(study.name, [*files.values(), *(() if study.suffix else shipped)], n=1)
        hint = f"; did you mean {study.parent / near[0] if near[0] in files.values() else near[0]}?" if near else ""
    if study.suffix:
        raise UserError(f"{study}: no such file{hint}")
    raise UserError(
        f"{study}: no such file, and no study of this name ships with the package (seq2seq studies lists them){hint}"
    )
