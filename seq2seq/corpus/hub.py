"""Corpora in the hub's form, read by `datasets`: from the hub itself, or from a folder laid out as on the hub.

Nothing of a repository is ever run: `datasets` 4 and newer know no loading scripts, and a local folder is read by file
format, without its own configuration.
"""

import os
import re
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlparse
from urllib.request import getproxies

from seq2seq.config.errors import UserError, first_line
from seq2seq.corpus.cache import Cache, digest
from seq2seq.corpus.cards import Card, HubCard, below
from seq2seq.corpus.pairs import SentencePair

_FORMATS = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv"}
_ROWS = 1000
_VALIDATION_NAMES = ("validation", "valid", "val", "dev")


class HubCorpus:
    """Rows of a dataset, the two languages in columns that `hub`, a part of the card, names.

    A `folder` laid out as on the hub is read in its place, row by row, as `datasets` knows its copies by path and date only;
    with `streaming` the hub is read row by row, and nothing is kept.
    """

    def __init__(
        self,
        hub: HubCard,
        *,
        source: str,
        target: str,
        card: Card,
        cache: Cache,
        folder: Path | None = None,
        streaming: bool = False,
    ) -> None:
        missing = [language for language in (source, target) if language not in hub.columns]
        if missing:
            raise UserError(f"card of {card.name}: hub.columns has no '{missing[0]}'; it has {', '.join(hub.columns)}")
        self.hub, self.card, self.folder = hub, card, folder
        self.source, self.target = source, target
        self.streaming = streaming or folder is not None
        self._cache = cache
        self.origin = f"files in {folder}" if folder else f"hub {hub.id}{f' ({hub.config})' if hub.config else ''}"

    def pairs(self, split: str) -> Iterator[SentencePair]:
        """Yield the raw rows of a split; a `UserError` if it cannot be had, or a column is not there or not text."""
        try:
            for rows in self._load(split).iter(batch_size=_ROWS):
                sides = (self._column(rows, language) for language in (self.source, self.target))
                yield from (SentencePair(*pair) for pair in zip(*sides, strict=True))
        except UserError:
            raise
        except Exception as error:  # whatever the network, the hub or a file format came up with
            raise self._failed(split, error) from error

    def fingerprint(self, split: str) -> str:
        """Return a hash of the bytes of local files, or of the commit on the hub; no row is read. Errors as of `pairs`."""
        which = [self.hub.model_dump(exclude={"revision"}), self.source, self.target, split]
        if self.folder:
            kind, files = self._local_files(self._slice(split)[0])
            return digest(f"hub {kind} files", which, [self._cache.file_hash(Path(path)) for path in files])
        return digest("hub", which, self.hub.revision or self._commit(split))

    def _commit(self, split: str) -> str:
        """Return the newest commit's name, or that of the copy on this machine where the hub cannot be reached."""
        try:
            with _offline_without_network():
                import datasets

                return str(datasets.load_dataset_builder(self.hub.id, self.hub.config).hash)
        except Exception as error:  # as in `pairs`
            raise self._failed(split, error) from error

    def _slice(self, split: str) -> tuple[str, str, str]:
        """Return the hub's name of a split, and where a slice of it begins and ends."""
        name, _, rest = self.hub.splits.get(split, split).partition("[")
        start, _, stop = rest.removesuffix("]").partition(":")
        return name, start, stop

    def _load(self, split: str) -> Any:
        import datasets  # 1.6 s, paid only where a hub corpus is read

        name, start, stop = self._slice(split)
        if self.folder:
            kind, files = self._local_files(name)
            words = {"keep_default_na": False} if kind == "csv" else {}  # "None", "null" and "NA" are text
            dataset = datasets.load_dataset(kind, data_files={"rows": files}, split="rows", streaming=True, **words)
        else:
            hub = self.hub
            with _offline_without_network():
                dataset = datasets.load_dataset(hub.id, hub.config, revision=hub.revision, split=name, streaming=self.streaming)
        first = int(start or 0)
        if self.streaming:
            dataset = dataset.skip(first) if first else dataset
            return dataset.take(max(0, int(stop) - first)) if stop else dataset
        last = min(int(stop), len(dataset)) if stop else len(dataset)
        return dataset.select(range(min(first, last), last)) if first or stop else dataset

    def _local_files(self, name: str) -> tuple[str, list[str]]:
        assert self.folder is not None
        names = _VALIDATION_NAMES if name == "validation" else (name,)
        for place in (self.hub.config or ".", "data", "."):
            folder = below(self.folder, place)
            for suffix, kind in _FORMATS.items():
                found = [below(self.folder, str(path.relative_to(self.folder))) for path in sorted(folder.glob(f"*{suffix}"))]
                files = [str(path) for path in found if re.split(r"[-.]", path.name)[0] in names]
                if files:
                    return kind, files
        raise UserError(f"{self.folder}: no split '{name}' (.parquet, .jsonl, .json or .csv)")

    def _column(self, rows: Mapping[str, Any], language: str) -> list[str]:
        column = self.hub.columns[language]
        outer, _, inner = column.partition(".")
        if outer not in rows:
            raise UserError(
                f"{self.origin}: no column '{outer}'; it has {', '.join(sorted(rows))}; correct hub.columns in the card"
            )
        values = [row.get(inner) if isinstance(row, dict) else None for row in rows[outer]] if inner else rows[outer]
        if not all(isinstance(value, str) or value is None for value in values):
            raise UserError(f"{self.origin}: column '{column}' does not hold text; correct hub.columns in the card")
        return [value or "" for value in values]

    def _failed(self, split: str, error: Exception) -> UserError:
        return UserError(
            f"{self.origin}, split '{split}': could not be read ({first_line(error)[:300]}); if there is no network, put files "
            f"{split}.{self.source} and {split}.{self.target} into $SEQ2SEQ_DATA/{self.card.name}/"
        )


@contextmanager
def _offline_without_network() -> Iterator[None]:
    """Inside the block, let `datasets` take what it has at once where the hub's address cannot even be looked up."""
    import datasets

    address = urlparse(os.environ.get("HF_ENDPOINT", "https://huggingface.co")).hostname
    before = datasets.config.HF_HUB_OFFLINE
    try:
        if not getproxies():
            socket.getaddrinfo(address, 443)
    except OSError:
        datasets.config.HF_HUB_OFFLINE = True
    try:
        yield
    finally:
        datasets.config.HF_HUB_OFFLINE = before
