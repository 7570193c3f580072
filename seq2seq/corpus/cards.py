"""Corpus cards: what a corpus is, where it comes from and what it may be used for. A card is data; it cannot reach outside."""

from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints, field_validator

from seq2seq.config.base import Settings
from seq2seq.config.data import Language, SplitName
from seq2seq.config.data_files import data_path
from seq2seq.config.errors import UserError
from seq2seq.config.loading import part_from, read_yaml

_Sha256 = Annotated[str, StringConstraints(pattern=r"^[0-9a-f]{64}$")]
_HubId = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*/[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_HubName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*$")]
_HubSplit = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.-]*(\[\d*:\d*\])?$")]


class HubCard(Settings):
    """Address of a corpus on the Hugging Face hub."""

    id: _HubId
    """owner/name."""
    config: _HubName | None = None
    """Configuration, often the language pair."""
    revision: _HubName | None = None
    """Commit; a pinned one need not be downloaded again to know that it has not changed."""
    columns: dict[Language, str]
    """Column of each language; `translation.en` is the field en of a column translation."""
    splits: dict[SplitName, _HubSplit] = Field(default={})
    """Our name of a split: the hub's, or a slice of it such as `train[:3000]`; names that agree need no line."""


class Card(Settings):
    """Description of a corpus for its users."""

    name: _HubName
    """The name used in a study, and of the folder under $SEQ2SEQ_DATA."""
    description: str
    """What kind of text, in a sentence."""
    languages: tuple[Language, ...] = Field(min_length=2)
    """Languages, parallel line by line."""
    source: str
    """Where it comes from."""
    licence: str
    """Terms of use, in the origin's words where there are any."""
    publishable: bool = False
    """Whether its sentences may be shown to others: `publish` then keeps text, which it leaves out of every file otherwise."""
    citation: tuple[str, ...] = ()
    """Publications to cite, and required notices."""
    splits: dict[SplitName, int] = Field(default={})
    """Pairs in each split."""
    folder: str | None = None
    """Folder of the files, below the card; only for a card named by its path, whose own folder is the default."""
    sha256: dict[str, _Sha256] = Field(default={})
    """Checksum of each file, as published."""
    hub: HubCard | None = None
    """The same corpus on the hub, or a larger or smaller edition of it (the description says)."""

    @field_validator("folder")
    @classmethod
    def _stays_below(cls, folder: str | None) -> str | None:
        if folder is not None and (Path(folder).is_absolute() or ".." in Path(folder).parts):
            raise ValueError(f"'{folder}' leaves the card's folder; name a folder below it")
        return folder


def read_card(path: Path) -> Card:
    """Read a card; a `UserError` if it is no file, not YAML, or not a card."""
    try:
        return part_from(Card, read_yaml(path), str(path))
    except UserError as error:
        raise UserError(f"{error}; see data/multi30k.yaml for a complete card") from None


def known_cards() -> dict[str, Path]:
    """Return the cards that come with the project, by corpus name."""
    paths = sorted(data_path().glob("*.yaml"))
    return {path.stem: path for path in paths if path.read_text(encoding="utf-8").startswith("# Corpus card")}


def below(folder: Path, name: str) -> Path:
    """Return a path inside `folder`, links followed; a `UserError` if it leads out."""
    path = folder / name
    if not path.resolve().is_relative_to(folder.resolve()):
        raise UserError(f"{path}: leads out of {folder}; a corpus is read from its own folder only, so copy the file there")
    return path
