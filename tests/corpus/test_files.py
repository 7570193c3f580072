"""Parallel text: what is a line, and what is wrong with a file."""

import gzip
import lzma
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seq2seq.config.errors import UserError
from seq2seq.corpus.cache import Cache
from seq2seq.corpus.cards import Card
from seq2seq.corpus.files import PACKED, FileCorpus, read_lines
from seq2seq.corpus.pairs import SentencePair


def corpus(folder, *, card=None, report=lambda text: None):
    return FileCorpus(folder, source="en", target="xx", card=card, cache=Cache(folder / "cache"), report=report)


def write(folder, english, other, split="train"):
    (folder / f"{split}.en").write_bytes(english)
    (folder / f"{split}.xx").write_bytes(other)
    return corpus(folder)


@pytest.mark.parametrize(
    ("content", "lines"),
    [
        (b"", []),
        (b"a\nb\n", ["a", "b"]),
        (b"a\nb", ["a", "b"]),
        (b"a\r\nb\r\n", ["a", "b"]),
        (b"\n\na\n", ["", "", "a"]),
        (b"\xef\xbb\xbfa\nb\n", ["a", "b"]),
        (b"a\n\xef\xbb\xbfb\n", ["a", "\ufeffb"]),
        ("a\u2028b\x85c\x0cd\x1ce\n".encode(), ["a\u2028b\x85c\x0cd\x1ce"]),
        (b"a\rb\n", ["a\rb"]),
        (b"a\x00b\n", ["a\x00b"]),
        (b"caf\xe9\n", ["caf\udce9"]),
        (b"\xed\xa0\x80\n", ["\udced\udca0\udc80"]),
        (b"x" * 1_000_000 + b"\ny\n", ["x" * 1_000_000, "y"]),
    ],
)
def test_only_a_line_feed_ends_a_line(tmp_path, content, lines):
    (tmp_path / "plain").write_bytes(content)
    (tmp_path / "zipped.gz").write_bytes(gzip.compress(content))
    assert list(read_lines(tmp_path / "plain")) == lines
    assert list(read_lines(tmp_path / "zipped.gz")) == lines


def is_plain(content):
    only_returns = b"\r" in content and b"\n" not in content
    return not (only_returns or content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")))


@given(content=st.binary(max_size=80).filter(is_plain))
def test_no_bytes_are_lost_or_refused(tmp_path_factory, content):
    path = tmp_path_factory.mktemp("bytes") / "f"
    path.write_bytes(content)
    lines = list(read_lines(path))
    assert len(lines) == content.count(b"\n") + (not content.endswith(b"\n") and bool(content))
    assert b"".join(line.encode("utf-8", "surrogateescape") for line in lines) == content.replace(b"\r\n", b"\n").removesuffix(
        b"\r"
    ).replace(b"\n", b"")


def test_pairs_are_line_by_line_in_either_form(tmp_path):
    found = write(tmp_path, b"a\nb\n", b"x\ny\n")
    assert list(found.pairs("train")) == [SentencePair("a", "x"), SentencePair("b", "y")]
    (tmp_path / "train.xx").unlink()
    (tmp_path / "train.xx.gz").write_bytes(gzip.compress(b"x\ny\n"))
    assert list(found.pairs("train")) == [SentencePair("a", "x"), SentencePair("b", "y")]
    (tmp_path / "other.en").write_bytes(b"a\n")
    assert found.splits() == ("train",)


@pytest.mark.parametrize(("english", "lines"), [(b"a\nb\nc\n", "3 lines"), (b"a\n", "1 line"), (b"", "0 lines")])
def test_unequal_line_counts_name_both_counts_and_files(tmp_path, english, lines):
    found = write(tmp_path, english, b"x\ny\n")
    with pytest.raises(UserError, match=rf"train\.en has {lines} but .*train\.xx has 2;"):
        list(found.pairs("train"))


def test_what_is_wrong_with_a_file_is_said(tmp_path):
    found = write(tmp_path, "a\n".encode("utf-16"), b"x\n")
    with pytest.raises(UserError, match=r"train\.en: UTF-16 text; save it as UTF-8"):
        list(found.pairs("train"))
    found = write(tmp_path, b"a\rb\r", b"x\ry\r")
    with pytest.raises(UserError, match=r"train\.en: lines end in CR alone; save it with LF"):
        list(found.pairs("train"))
    (tmp_path / "bad.en.gz").write_bytes(gzip.compress(b"a\n" * 1000)[:-20])
    (tmp_path / "bad.xx.gz").write_bytes(b"not gzip at all")
    for path in (tmp_path / "bad.en.gz", tmp_path / "bad.xx.gz"):
        with pytest.raises(UserError, match="damaged or incomplete gzip"):
            list(read_lines(path))
    with pytest.raises(UserError, match="cannot be read"):
        list(read_lines(tmp_path))


def test_a_line_without_end_is_refused_before_it_fills_the_memory(tmp_path, monkeypatch):
    monkeypatch.setattr("seq2seq.corpus.files._MAX_LINE_BYTES", 2**20)
    (tmp_path / "f").write_bytes(b"ok\n" + b"x" * (2**20 + 1))
    with pytest.raises(UserError, match="line 2 is longer than 1 MiB"):
        list(read_lines(tmp_path / "f"))


def test_a_missing_split_names_those_there_are(tmp_path):
    found = write(tmp_path, b"a\n", b"x\n", split="dev")
    with pytest.raises(UserError, match=r"valid\.en\[\.gz\]: no such file, nor valid\.en-xx\.tsv; splits of en-xx there: dev$"):
        list(found.pairs("valid"))
    (tmp_path / "dev.en.gz").write_bytes(gzip.compress(b"a\n"))
    with pytest.raises(UserError, match="are both there; remove one"):
        list(found.pairs("dev"))


def test_links_out_of_the_folder_are_not_followed(tmp_path):
    secret = tmp_path / "secret.txt"
    secret.write_text("secret\n")
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "train.en").symlink_to(secret)
    (folder / "train.xx").write_text("x\n")
    found = corpus(folder)
    for attempt in (
        lambda: list(found.pairs("train")),
        lambda: found.fingerprint("train"),
        lambda: found.files("../secret"),
    ):
        with pytest.raises(UserError, match="leads out of"):
            attempt()


def test_the_fingerprint_is_of_the_content(tmp_path):
    found = write(tmp_path, b"a\n", b"x\n")
    first = found.fingerprint("train")
    os.utime(tmp_path / "train.en", (1, 1))
    assert found.fingerprint("train") == first
    (tmp_path / "train.en").write_bytes(b"b\n")
    assert found.fingerprint("train") != first


def test_a_table_whose_name_names_the_other_order_is_another_text(tmp_path):
    found = corpus(tmp_path)
    (tmp_path / "train.xx-en.tsv").write_bytes(b"a\tx\n")
    first = found.fingerprint("train")
    (tmp_path / "train.xx-en.tsv").rename(tmp_path / "train.en-xx.tsv")
    assert list(found.pairs("train")) == [SentencePair("a", "x")]
    assert found.fingerprint("train") != first


def test_a_file_other_than_the_cards_is_reported(tmp_path, said):
    write(tmp_path, b"a\n", b"x\n")
    known = "87428fc522803d31065e7bce3cf03fe475096631e5e07bbd7a0fde60c4cf25c7"  # SHA-256 of b"a\n"
    card = Card(
        name="c", description="", languages=("en", "xx"), source="", licence="", sha256={"train.en": known, "train.xx": known}
    )
    corpus(tmp_path, card=card, report=said.append).fingerprint("train")
    assert len(said) == 1
    assert "train.xx: not the file that the card of c describes" in said[0]


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_said(tmp_path):
    found = write(tmp_path, b"a\n", b"x\n")
    (tmp_path / "train.en").chmod(0)
    with pytest.raises(UserError, match=r"train\.en: cannot be read"):
        found.fingerprint("train")


def packed(ending):
    if ending == ".zst":
        return pytest.importorskip("backports.zstd").compress
    return {"": bytes, ".gz": gzip.compress, ".xz": lzma.compress}[ending]


@pytest.mark.parametrize("ending", PACKED)
@pytest.mark.parametrize(("languages", "pair"), [("en-xx", ("a b", "x")), ("xx-en", ("x", "a b"))])
def test_a_table_is_read_in_the_order_of_its_name(tmp_path, ending, languages, pair):
    (tmp_path / f"train.{languages}.tsv{ending}").write_bytes(packed(ending)(b"a b\tx\tCC BY\r\na b\tx\n"))
    found = corpus(tmp_path)
    assert found.splits() == ("train",)
    assert list(found.pairs("train")) == [SentencePair(*pair)] * 2
    before = found.fingerprint("train")
    (tmp_path / f"train.{languages}.tsv{ending}").write_bytes(packed(ending)(b"a c\tx\n"))
    assert found.fingerprint("train") != before


@pytest.mark.parametrize("ending", PACKED)
def test_sides_may_be_packed_each_in_its_own_way(tmp_path, ending):
    (tmp_path / f"train.en{ending}").write_bytes(packed(ending)(b"a\nb\n") + packed(ending)(b"c\n"))
    (tmp_path / "train.xx").write_bytes(b"x\ny\nz\n")
    assert [pair.source for pair in corpus(tmp_path).pairs("train")] == ["a", "b", "c"]


@pytest.mark.parametrize("ending", PACKED[1:])
def test_a_damaged_file_is_one_line(tmp_path, ending):
    path = tmp_path / f"train.en{ending}"
    for damage in (packed(ending)(b"a\n" * 10_000)[:-7], b"nothing of the kind"):
        path.write_bytes(damage)
        with pytest.raises(UserError, match=r"train\.en\..*(damaged or incomplete|cannot be read)"):
            list(read_lines(path))


def test_a_blank_row_of_a_table_is_an_empty_pair(tmp_path):
    (tmp_path / "train.en-xx.tsv").write_text("a\tx\n\n \r\n")
    assert [pair.source.strip() for pair in corpus(tmp_path).pairs("train")] == ["a", "", ""]


def test_a_table_without_tabs_and_two_forms_at_once_are_refused(tmp_path):
    (tmp_path / "train.en-xx.tsv").write_text("a\tx\nb\n")
    with pytest.raises(UserError, match=r"train\.en-xx\.tsv: line 2 has no tab"):
        list(corpus(tmp_path).pairs("train"))
    found = write(tmp_path, b"a\n", b"x\n")
    with pytest.raises(UserError, match=r"train\.en-xx\.tsv and train\.en are both there"):
        list(found.pairs("train"))


def test_zstd_without_its_package_says_what_to_install(tmp_path, monkeypatch):
    def missing(name):
        raise ModuleNotFoundError(name)

    monkeypatch.setattr("seq2seq.corpus.files.import_module", missing)
    (tmp_path / "train.en.zst").write_bytes(b"")
    with pytest.raises(UserError, match=r"train\.en\.zst: reading .zst needs a package; pip install 'seq2seq\[zstd\]'"):
        list(read_lines(tmp_path / "train.en.zst"))


def test_columns_after_the_second_are_told_of(tmp_path):
    (tmp_path / "train.en-xx.tsv").write_text("a\tx\tsomebody\nb\ty\n")
    said = []
    assert [pair.target for pair in corpus(tmp_path, report=said.append).pairs("train")] == ["x", "y"]
    assert said == [f"{tmp_path}/train.en-xx.tsv: what follows the second column is not read (lines: 1)"]
