from pathlib import Path

from seq2seq.attention.fixed import FIXED
from seq2seq.attention.mechanisms import MECHANISMS
from seq2seq.attention.normalisers import NORMALISERS
from seq2seq.attention.positions import POSITIONS
from seq2seq.attention.scales import SCALES
from seq2seq.attention.scores import SCORES
from seq2seq.attention.windows import WINDOWS
from seq2seq.study.catalogue import PLACE, catalogue, main

ROOT = Path(__file__).parents[2]


def test_the_committed_page_is_current():
    assert (ROOT / PLACE).read_text(encoding="utf-8") == catalogue(), "run: python -m seq2seq.study.catalogue"


def test_every_member_has_a_whole_row():
    families = catalogue().partition("\n## Heads and placement")[0]
    rows = [line for line in families.splitlines() if line.startswith("| `")]
    tables = (SCORES, FIXED, SCALES, NORMALISERS, WINDOWS, POSITIONS, MECHANISMS)
    assert len(rows) == sum(map(len, tables))
    for row in rows:
        cells = row.replace("\\|", "").strip("|").split("|")
        assert len(cells) == 5
        assert all(cell.strip() for cell in cells[:4])


def test_what_is_not_a_family_is_told_too():
    rest = catalogue().partition("\n## Heads and placement")[2]
    for name in (
        "model.attention.heads",
        "model.decoder.placement",
        "model.decoder.input_feeding",
        "architecture: decoder_only",
    ):
        assert sum(name in line and len(line) > len(name) + 30 for line in rest.splitlines()) == 1


def test_options_say_their_default():
    rows = {line.split("`")[1]: line for line in catalogue().splitlines() if line.startswith("| `")}
    assert "`rank` (default null): Rank of W" in rows["bilinear"]
    assert "`k` (default 8)" in rows["top_k"]
    assert "`members`:" in rows["gated"]
    assert "W\\_q q" in rows["additive"]


def test_the_page_is_written_where_asked(tmp_path):
    main(tmp_path / "new" / "page.md")
    assert (tmp_path / "new" / "page.md").read_text(encoding="utf-8") == catalogue()
