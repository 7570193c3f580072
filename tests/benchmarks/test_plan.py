import argparse

import pytest

from benchmarks.cells import Row
from benchmarks.peers.table import PEERS
from benchmarks.plan import plan, preparations, with_memory


@pytest.fixture
def peers(tmp_path):
    """Environments with an interpreter that is never run."""
    for name in [*(peer.name for peer in PEERS if peer.name not in ("marian", "sockeye")), "hf"]:
        python = tmp_path / "peers" / name / "bin" / "python"
        python.parent.mkdir(parents=True)
        python.touch(mode=0o755)
    return tmp_path / "peers"


def asked(**changes):
    return argparse.Namespace(
        **{"corpus": "grammar", "limit": 9, "steps": 2, "scaling": False, "only": "", "peers": None, **changes}
    )


def test_names_are_distinct_and_can_be_chosen(peers, tmp_path):
    cells = plan(asked(peers=peers, scaling=True), tmp_path)
    assert len({cell.name for cell in cells}) == len(cells)
    chosen = plan(asked(peers=peers, only="decode A2"), tmp_path)
    assert [cell.who for cell in chosen] == ["this project", "CTranslate2 float32", "OpenNMT-py", "eole"]


def test_a_peer_without_an_environment_is_left_out(peers, tmp_path):
    who = {cell.who for cell in plan(asked(peers=peers), tmp_path)}
    assert "transformers, bare loop" in who  # its environment is called hf
    assert "Sockeye" not in who
    assert not any(cell.is_peer for cell in plan(asked(), tmp_path))


def test_what_a_decoder_reads_is_made_first(peers, tmp_path):
    arguments = asked(peers=peers, only="CTranslate2")
    made = preparations(plan(arguments, tmp_path), arguments, tmp_path)
    assert [(cell.who, cell.model) for cell in made] == [("OpenNMT-py", "A2")]


def test_the_best_peers_come_again_with_memory_kept(peers, tmp_path):
    rows = [Row(cell) for cell in plan(asked(peers=peers, only="A1"), tmp_path)]
    for number, row in enumerate(rows):
        row.runs.append({"tokens_per_second": number, "sentences_per_second": number})
    extra = with_memory(rows)
    assert [(cell.kind, cell.who, cell.keeps_memory) for cell in extra] == [
        ("train", "JoeyNMT", True),
        ("decode", "eole", True),
    ]
