"""Settings of the text: which corpus, what is kept of it, and how sentences become subwords."""

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, StringConstraints, model_validator

from seq2seq.config.base import ONE_OR_MORE, Count, Settings
from seq2seq.config.embedded import (
    GRAMMAR,
    IMAGE,
    PROBE,
    SCENES,
    GrammarSettings,
    ProbeSettings,
    SceneSettings,
    check_probe,
)
from seq2seq.config.errors import UserError
from seq2seq.config.evaluation import Edges

Language = Annotated[str, StringConstraints(pattern=r"^[A-Za-z]{2,8}([_-][A-Za-z0-9]{1,8})*$")]
"""A language code as in a file name: en, de, zh_CN."""
SplitName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=100)]
"""A split as in a file name: train, test_2016_flickr."""
BOUNDARY = "\u2029"
"""End of a segment within a line of text (Unicode's paragraph separator); a tokenizer reads it as the end of a sentence."""


class JoinSettings(Settings):
    """Join random pairs of a split, texts by a space (compare Varis and Bojar 2021, "Sequence length is a domain").

    Training pairs are joined anew in every epoch, each used once. Validation and test joins are made once and are balanced
    over source lengths; a pair is in several of them, so intervals, which take joins as independent, are somewhat too narrow.
    A training pair that is also a validation or test pair is left out and counted.
    """

    max_pairs: int = Field(default=6, ge=2, le=1000)
    """Pairs in an example, at most, 2 to 1000. Fewer where the training limits `max_tokens` and `max_words` would be passed."""
    single_share: float = Field(default=0.5, ge=0, le=1)
    """Share of the training pairs that stand alone, and so on average of the target tokens (end of sentence aside), 0 to 1.
    The others are joined by 2 to `max_pairs`, each number equally frequent."""
    edges: Edges = (10, 20, 30, 40, 50, 60)
    """Last length of every bucket of validation and test joins but the open last one, in source words (characters in a language
    without spaces), increasing."""
    per_bucket: int = Field(default=170, ge=1, le=1_000_000)
    """Validation and test joins in a bucket, at most, 1 to 1 million; fewer where a split has no more, which is reported."""
    seed: int = Field(default=1, ge=0, lt=2**63)
    """Which validation and test joins are drawn, 0 to 2**63 - 1; it has nothing to do with the seeds of training."""
    separator: Literal["source"] | None = None
    """source: between the sources of joined pairs stands the end-of-sentence token, as after the last one, so that a model can
    tell where a pair ends (U+2029 stands for it in a line to translate); targets are joined by a space, so that references stay
    as they are. None: a space on both sides."""

    @property
    def between(self) -> str:
        """Text between the sources of joined pairs."""
        return f" {BOUNDARY} " if self.separator else " "


class DataSettings(Settings):
    """Which sentences, and what is kept of them. Cleaning touches the training split only: every test line is translated."""

    corpus: str = Field(min_length=1, max_length=4096)
    """`grammar`, `scenes`, `probe-copy`, -reverse, -sort, -recall, -first, -last (embedded, no network), the name of a card in
    `data/`, or the path of one (.yaml), from the study file's folder. With `path` it may be left out: the folder's name."""
    source: Language = "en"
    """Language translated from; `image` in corpus `scenes`."""
    target: Language = "de"
    """Language translated to."""
    train: SplitName = "train"
    """Split to learn from."""
    valid: SplitName = "valid"
    """Split that chooses the checkpoint."""
    test: Annotated[tuple[SplitName, ...], ONE_OR_MORE] = ("test",)
    """Splits to translate and score, each in full; at least one."""
    max_words: Count | None = None
    """Longest training sentence on either side, in words (characters in a language without spaces), >= 1; None for no limit."""
    max_tokens: int = Field(default=256, ge=1, le=65_000)
    """Longest training sentence on either side, in subwords without end of sentence, 1 to 65,000."""
    max_pairs: Count | None = None
    """Stop reading after so many training pairs that pass every check but max_tokens, >= 1; None reads all."""
    parallel_pairs: Count | None = None
    """Learn to translate from the first so many of the training pairs that are kept, >= 1; the text of the others is for the
    tokenizer and `training.pretrain` alone. None: all are translated."""
    max_ratio: float | None = Field(default=9.0, ge=1)
    """Largest ratio between the two sides of a training pair, in characters, >= 1 (in words and characters between a language
    with spaces and one without); None for no limit."""
    drop_duplicates: bool = True
    """Drop a training pair that repeats an earlier one on both sides."""
    reverse_source: bool = False
    """Feed source subwords last to first, the end of sentence still last (Sutskever et al. 2014, section 3.3)."""
    join: JoinSettings | None = None
    """Join pairs into examples of varying length; None leaves every pair alone."""
    streaming: bool = False
    """Read a corpus of the hub row by row over the network instead of downloading it first."""
    path: str | None = None
    """Folder of the corpus, from the study file's folder; None looks in $SEQ2SEQ_DATA/<corpus>/, then on the hub."""
    grammar: GrammarSettings | None = None
    """Size and lengths of the embedded corpus; with corpus `grammar` only, where None means the defaults."""
    probe: ProbeSettings | None = None
    """Size and lengths of a synthetic probe; with corpus `probe-...` only, where None means the defaults."""
    scenes: SceneSettings | None = None
    """Size of the corpus of drawn scenes; with corpus `scenes` only, where None means the defaults."""

    @model_validator(mode="before")
    @classmethod
    def _fill_embedded(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        data = dict(data)
        if data.pop("concatenate", 1) != 1:  # in settings of before `join` 1 meant that nothing is joined
            raise ValueError("concatenate was replaced by data.join, which joins training pairs too: join: {max_pairs: 6}")
        if isinstance(data.get("path"), str) and data.get("corpus") is None:
            data["corpus"] = Path(data["path"]).expanduser().absolute().name or "/"
        section = _section(str(data.get("corpus")))
        return data if section is None else {**_USUAL[section], **data, section: data.get(section) or {}}

    @model_validator(mode="after")
    def _options_apply(self) -> "DataSettings":
        if self.source == self.target:
            raise ValueError(f"source and target are both '{self.source}'; name two languages")
        if not self.test:
            raise ValueError("test names no split, so there would be nothing to score; name one, for example test: [test]")
        if self.train in (self.valid, *self.test):
            raise ValueError(f"the training split '{self.train}' is also used to validate or test; name a different one")
        if len(set(self.test)) != len(self.test):
            raise ValueError(f"test names a split twice: {', '.join(self.test)}")
        own = _section(self.corpus)
        for section, corpus in _CORPUS_OF.items():
            if section != own and getattr(self, section) is not None:
                raise ValueError(f"{section}: applies to {corpus} only, not to '{self.corpus}'; remove it")
        if own is not None:
            self._check_embedded(own)
        return self

    def _check_embedded(self, section: str) -> None:
        sides = {self.source, self.target}
        if section == GRAMMAR and sides != {"en", "de"}:
            raise ValueError(f"corpus '{GRAMMAR}' has languages en and de, not {self.source} and {self.target}")
        if section == SCENES and (self.source != IMAGE or self.target not in ("en", "de")):
            raise ValueError(f"corpus '{SCENES}' has source {IMAGE} and target en or de, not {self.source} and {self.target}")
        if self.probe is not None:
            check_probe(self.corpus, self.probe)
        for option in ("path", "streaming"):
            if getattr(self, option):
                raise ValueError(f"{option}: does not apply to corpus '{self.corpus}', which is embedded; remove it")
        if section != GRAMMAR and self.join is not None:
            what = "joined questions have no answer" if self.probe else "pictures cannot be joined"
            raise ValueError(f"join: does not apply to corpus '{self.corpus}', whose {what}; remove it")
        if section == SCENES and self.reverse_source:
            raise ValueError(f"reverse_source: does not apply to corpus '{SCENES}', whose source is a picture; remove it")


_CORPUS_OF = {GRAMMAR: f"corpus '{GRAMMAR}'", "probe": "a corpus probe-...", SCENES: f"corpus '{SCENES}'"}
"""Settings of an embedded corpus by name -> the corpus they belong to."""
_USUAL: dict[str, dict[str, Any]] = {
    GRAMMAR: {},
    "probe": {"source": "in", "target": "out", "max_ratio": None},  # answers of one word are right, however long the question
    SCENES: {"source": IMAGE, "max_ratio": None, "max_tokens": 2048},  # a pixel is a token
}
"""What follows from being such a corpus where the study does not say it."""


def _section(corpus: str) -> str | None:
    """Return the name of an embedded corpus's own settings, None for other corpora."""
    return "probe" if corpus.startswith(PROBE) else corpus if corpus in _CORPUS_OF else None


def with_tests(settings: DataSettings, further: Iterable[str]) -> DataSettings:
    """Return the settings with more test splits; a `UserError` refuses one that a run was trained on."""
    for name in further:
        if name == settings.train:
            raise UserError(f"--split {name}: the split that the runs were trained on")
    return settings.model_copy(update={"test": tuple(dict.fromkeys((*settings.test, *further)))})


class TokenizerSettings(Settings):
    """Tokenizer: sentences to subwords (sentencepiece, trained on the cleaned training split only)."""

    kind: Literal["unigram", "bpe"] = "unigram"
    """Unigram language model (Kudo 2018) or byte-pair encoding (Sennrich et al. 2016)."""
    vocabulary_size: Annotated[int, Field(ge=8, le=1_000_000)] | Literal["auto"] = 8000
    """Subwords in a vocabulary, special ones and the 256 bytes of `byte_fallback` included, 8 to 1,000,000; or `auto`: 300, the
    different characters of its training text, and one for each 300 characters of it up to 8,000; fewer where it fills fewer."""
    joint: bool = True
    """One vocabulary for both languages; false trains one for each, of this size each."""
    character_coverage: float = Field(default=0.9995, ge=0.98, le=1)
    """Share of the training text's characters that get a subword of their own, 0.98 to 1; the others are rare ones."""
    byte_fallback: bool = True
    """Spell a character without a subword in UTF-8 bytes, so that nothing is lost; false makes it one unknown subword."""
    sample_characters: int = Field(default=10_000_000, ge=1000)
    """Learn subwords from about so many characters of each vocabulary's text, lines evenly spaced, >= 1000."""
