"""Finding a corpus: the places are tried in an order that is printed, and nothing is ever put in another's place."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from seq2seq.config.data import GRAMMAR, DataSettings
from seq2seq.config.errors import UserError
from seq2seq.config.probe import PROBE
from seq2seq.corpus.cache import Cache
from seq2seq.corpus.cards import Card, below, known_cards, read_card, suggest_corpus
from seq2seq.corpus.embedded import GrammarCorpus
from seq2seq.corpus.files import FileCorpus
from seq2seq.corpus.hub import HubCorpus
from seq2seq.corpus.pairs import SentencePair
from seq2seq.corpus.probes import ProbeCorpus
from seq2seq.corpus.scenes import SceneCorpus


class Corpus(Protocol):
    """Sentence pairs by split, wherever they come from."""

    origin: str
    """Where it was found, for people."""

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the raw pairs of a split."""

    def fingerprint(self, split: str) -> str:
        """Return a hash that changes whenever the split's content does."""


def open_corpus(settings: DataSettings, *, report: Callable[[str], None], cache: Path | None = None) -> Corpus:
    """Find a corpus: embedded, then `data.path`, then beside its own card, then $SEQ2SEQ_DATA, then the hub.

    `report` is told where it was found and which places were tried before; a `UserError` says how to get it.
    """
    if (embedded := _embedded(settings)) is not None:
        report(f"corpus {settings.corpus}: embedded")
        return embedded
    card, card_file = find_card(settings)
    _check_languages(settings, card)
    folders = _folders(settings, card, card_file)
    tried: list[str] = []
    store = Cache(cache)
    for place, folder in folders:
        if folder is not None and folder.is_dir():
            corpus = _open_folder(folder, settings, card, store, report)
            report(f"corpus {settings.corpus}: {corpus.origin}{_after(tried)}")
            return corpus
        tried.append(f"{place} (no such folder)" if folder else place)
    if settings.path is None and card is not None and card.hub is not None:
        source, target, streaming = settings.source, settings.target, settings.streaming
        hub = HubCorpus(card.hub, source=source, target=target, card=card, cache=store, streaming=streaming)
        report(f"corpus {settings.corpus}: {hub.origin}{_after(tried)}")
        return hub
    raise _not_found(settings, card, tried)


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


def _after(tried: list[str]) -> str:
    return f"; not at {', '.join(tried)}" if tried else ""


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


def _open_folder(
    folder: Path, settings: DataSettings, card: Card | None, cache: Cache, report: Callable[[str], None]
) -> FileCorpus | HubCorpus:
    """Take a folder as parallel text, or, where it has none and the card knows columns, as laid out on the hub."""
    source, target = settings.source, settings.target
    files = FileCorpus(folder, source=source, target=target, card=card, cache=cache, report=report)
    if not files.splits() and card is not None and card.hub is not None:
        return HubCorpus(card.hub, source=source, target=target, card=card, cache=cache, folder=folder)
    return files


def _not_found(settings: DataSettings, card: Card | None, tried: list[str]) -> UserError:
    name = card.name if card else settings.corpus
    files = f"{settings.train}.{settings.source}[.gz] and {settings.train}.{settings.target}[.gz]"
    hint = suggest_corpus(settings.corpus) if card is None else ""
    where = f"corpus '{settings.corpus}' was not found{hint}; tried {', '.join(tried)}"
    origin = f" (from {card.source})" if card else ""
    return UserError(
        f"{where}. Put {files}{origin} into a folder {name}/ and set SEQ2SEQ_DATA to the folder above, or data.path to it; "
        f"corpus '{GRAMMAR}' needs no files"
    )
