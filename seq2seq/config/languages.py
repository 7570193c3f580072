"""Properties of how a language is written: the unit that lengths are counted in, and the tokenizer that BLEU needs.

A language with spaces between words is counted in words. Chinese, Japanese, Thai, Lao, Khmer and Burmese put none there, so a
line would be one word however long it is; they are counted in characters (code points without spaces). A picture is written as
a line with one word for each object, and counted in those.
"""

from typing import Literal

from seq2seq.config.embedded import IMAGE
from seq2seq.config.errors import UserError

BleuTokenizer = Literal["auto", "13a", "intl", "char", "zh", "ja-mecab", "ko-mecab", "flores200", "flores101", "spm", "none"]
"""Names of sacreBLEU's tokenizers, and `auto` for the one that the target language needs."""
LengthUnit = Literal["words", "characters", "objects"]

_SAME = {
    **dict.fromkeys(("zho", "cmn", "yue", "wuu", "nan", "hak", "gan", "hsn", "lzh"), "zh"),
    "jpn": "ja",
    "kor": "ko",
    "tha": "th",
    "lao": "lo",
    "khm": "km",
    "mya": "my",
}
"""Longer codes of the languages below."""
_WITHOUT_SPACES = ("zh", "ja", "th", "lo", "km", "my")
_TOKENIZERS = {"zh": "zh", "ja": "ja-mecab", "ko": "ko-mecab"}
"""sacreBLEU's own choice (`BLEU._TOKENIZER_MAP`); the other languages without spaces have no tokenizer but characters."""
_BY_SPACES = ("13a", "intl", "none")
"""Tokenizers that take what stands between two spaces for a word."""


def _primary(language: str) -> str:
    """`zh_CN`, `zh-Hans` and `cmn` are all zh."""
    code = language.lower().replace("_", "-").partition("-")[0]
    return _SAME.get(code, code)


def has_spaces(language: str) -> bool:
    """Whether a language puts spaces between words."""
    return _primary(language) not in _WITHOUT_SPACES


def length_unit(language: str) -> LengthUnit:
    """Return what the length of a sentence of this language is counted in."""
    return "objects" if language == IMAGE else "words" if has_spaces(language) else "characters"


def sentence_length(line: str, language: str) -> int:
    """Count words (whitespace tokens), or characters without spaces in a language that puts none between words."""
    words = line.split()
    return len(words) if has_spaces(language) else sum(map(len, words))


def resolve_tokenizer(wanted: BleuTokenizer, language: str) -> str:
    """Return sacreBLEU's tokenizer for BLEU in a target language; a `UserError` if it splits at spaces that are not there."""
    usual = _TOKENIZERS.get(_primary(language), "13a" if has_spaces(language) else "char")
    if wanted == "auto":
        return usual
    if wanted in _BY_SPACES and not has_spaces(language):
        raise UserError(
            f"evaluation.tokenizer: {wanted} takes a whole sentence of '{language}' for one word; leave it at auto (which is "
            f"{usual}), or write char or flores200"
        )
    return wanted
