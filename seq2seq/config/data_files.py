"""Paths of the data that travel with the code: corpus cards, the grammar, the papers' numbers."""

import site
import sysconfig
from pathlib import Path

from seq2seq.config.errors import UserError


def data_path(*parts: str) -> Path:
    """Find a file or folder of `data/`, in a checkout or in an installed copy (also of `pip install --user` or `--target`).

    Args:
        parts: path below `data/`, for example `"grammar", "nouns.yaml"`.

    Raises:
        UserError: it is in no place.
    """
    packages = (
        Path(__file__).resolve().parents[2]
    )  # the checkout, or where packages are installed, which --target makes the root
    roots = (packages, Path(sysconfig.get_path("data")), Path(site.getuserbase()))
    installed = [root / "share" / "seq2seq" / "data" for root in roots]
    for root in (packages / "data", *installed):
        path = root.joinpath(*parts)
        if path.exists():
            return path
    wanted = "/".join(parts)
    raise UserError(
        f"{wanted}: not in {packages / 'data'} (a checkout) nor in {', '.join(map(str, installed))} (an installation); "
        "reinstall with `pip install .`"
    )
