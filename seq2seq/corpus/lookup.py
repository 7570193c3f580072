"""Finding a corpus: the places are tried in an order that is printed, and nothing is ever put in another's place."""

import difflib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seq2seq.config.data import DataSettings
from seq2seq.config.embedded import GRAMMAR, PROBE
from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache
from seq2seq.corpus.cards import Card, below, known_cards, read_card
from seq2seq.corpus.embedded import GrammarCorpus
from seq2seq.corpus.files import FileCorpus
from seq2seq.corpus.hub import HubCorpus
from seq2seq.corpus.probes import ProbeCorpus
from seq2seq.corpus.scenes import SceneCorpus

Corpus = GrammarCorpus | SceneCorpus | ProbeCorpus | FileCorpus | HubCorpus
"""Sentence pairs, wherever they come from: `pairs` and `fingerprint` of each split, and an `origin` for people."""


def open_corpus(settings: DataSettings, *, report: Callable[[str], None], cache: Path | None = None) -> Corpus:
    """Find a corpus: embedded, then `data.path`, then beside its own card, then $SEQ2SEQ_DATA, then the hub.

    `report` is told where it was found and which places were tried before; a `UserError` says how to get it.
    """
    if (embedded := _embedded(settings)) is not None:
        report(f"corpus {settings.corpus}: embedded")
        return embedded
    card, card_file = find_card(settings)
    _check_languages(settings, card)
    tried: list[str] = []
    hub = card.hub if card else None
    about: dict[str, Any] = {"source": settings.source, "target": settings.target, "card": card, "cache": Cache(cache)}
    found: Corpus | None = None
    for place, folder in _folders(settings, card, card_file):
        if folder is not None and folder.is_dir():  # parallel text, or laid out as on the hub where the card knows columns
            files = FileCorpus(folder, **about, report=report)
            found = files if hub is None or files.splits() else HubCorpus(hub, **about, folder=folder)
            break
        tried.append(f"{place} (no such folder)" if folder else place)
    if found is None and settings.path is None and hub is not None:
        found = HubCorpus(hub, **about, streaming=settings.streaming)
    if found is None:
        raise _not_found(settings, card, tried)
    after = f"; not at {', '.join(tried)}" if tried else ""
    report(f"corpus {settings.corpus}: {found.origin}{after}")
    return found


def _embedded(settings: DataSettings) -> Corpus | None:
    if settings.grammar is not None:
        return GrammarCorpus(settings.grammar, source=settings.source)
    if settings.scenes is not None:
        return SceneCorpus(settings.scenes, target=settings.target)
    return None if settings.probe is None else ProbeCorpus(settings.corpus.removeprefix(PROBE), settings.probe)


def find_card(settings: DataSettings) -> tuple[Card | None, Path | None]:
    """Return the card of a corpus of files or of the hub, and its path where the settings name it by that."""
    is_file = settings.corpus.endswith((".yaml", ".yml"))
    path = Path(settings.corpus).expanduser() if is_file else known_cards().get(settings.corpus)
    return read_card(path) if path else None, path if is_file else None


def is_embedded(settings: DataSettings) -> bool:
    """Whether a corpus is derived by this package, so that nobody needs a file of it."""
    return _embedded(settings) is not None


def publishable(settings: DataSettings) -> bool:
    """Whether sentences of the corpus may be shown to others: those of a probe or scene, or of a corpus whose card says so."""
    if is_embedded(settings):
        return True
    card, _ = find_card(settings)
    return card is not None and card.publishable


def _check_languages(settings: DataSettings, card: Card | None) -> None:
    for option in ("source", "target"):
        language = getattr(settings, option)
        if card is not None and language not in card.languages:
            raise UserError(f"data.{option}: corpus {card.name} has no '{language}'; it has {', '.join(card.languages)}")


def _folders(settings: DataSettings, card: Card | None, card_file: Path | None) -> list[tuple[str, Path | None]]:
    """Return (description, folder) in the order of look-up; a description alone where there is no folder to try."""
    if settings.path is not None:
        return [(f"data.path {settings.path}", Path(settings.path).expanduser())]
    beside: list[tuple[str, Path | None]] = []
    if card_file is not None:
        home = below(card_file.parent, (card.folder if card else None) or ".")
        if any(home.glob(f"*.{settings.source}*")) or any(home.glob("*-*.tsv*")):
            return [(str(home), home)]
        beside = [(f"{home} (no *.{settings.source} there)", None)]
    name = card.name if card else settings.corpus
    if Path(name).name != name or name == "..":
        raise UserError(f"data.corpus: '{name}' is neither a name nor the path of a card (.yaml); for a folder set data.path")
    root = os.environ.get("SEQ2SEQ_DATA")
    if not root:
        return [*beside, ("$SEQ2SEQ_DATA (not set)", None)]
    return [*beside, (f"$SEQ2SEQ_DATA/{name}", Path(root).expanduser() / name)]  # may be a link: the person's own doing


def _not_found(settings: DataSettings, card: Card | None, tried: list[str]) -> UserError:
    name = card.name if card else settings.corpus
    files = f"{settings.train}.{settings.source}[.gz] and {settings.train}.{settings.target}[.gz]"
    near = difflib.get_close_matches(settings.corpus, known_cards(), n=1) if card is None else []
    hint = f"; did you mean '{near[0]}'?" if near else ""
    where = f"corpus '{settings.corpus}' was not found{hint}; tried {', '.join(tried)}"
    origin = f" (from {card.source})" if card else ""
    return UserError(
        f"{where}. Put {files}{origin} into a folder {name}/ and set SEQ2SEQ_DATA to the folder above, or data.path to it; "
        f"corpus '{GRAMMAR}' needs no files"
    )
