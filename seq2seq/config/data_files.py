"""Where the data that travel with the code are: corpus cards, the grammar, the papers' numbers."""

import sysconfig
from pathlib import Path

from seq2seq.config.errors import UserError


def data_path(*parts: str) -> Path:
    """Find a file or folder of `data/`, in a checkout or in an installed copy.

    Args:
        parts: path below `data/`, for example `"grammar", "nouns.yaml"`.

    Raises:
        UserError: it is in neither place.
    """
    roots = (Path(__file__).resolve().parents[2] / "data", Path(sysconfig.get_path("data")) / "share" / "seq2seq" / "data")
    for root in roots:
        path = root.joinpath(*parts)
        if path.exists():
            return path
    wanted = "/".join(parts)
    raise UserError(
        f"{wanted}: not in {roots[0]} (a checkout) nor in {roots[1]} (an installation); reinstall with `pip install .`"
    )
