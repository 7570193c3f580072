"""A server on a free port, with untrained runs behind it."""

import threading

import pytest
import torch

from seq2seq.config.data import TokenizerSettings
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.study.explore.server import Server
from seq2seq.study.explore.translators import Translators
from tests.study.explore.untrained import LINES, SIZE, make_run


@pytest.fixture(scope="package")
def tokenizer():
    return Tokenizer.train(LINES, TokenizerSettings(vocabulary_size=SIZE))


@pytest.fixture(scope="package")
def server(tokenizer, tmp_path_factory):
    folder = tmp_path_factory.mktemp("runs")
    runs = {
        "additive": make_run(tokenizer, folder, score="additive"),
        "none <i>": make_run(tokenizer, folder, score="none"),
        "short": make_run(tokenizer, folder, score={"kind": "location", "max_source": 5}),
    }
    server = Server(Translators(runs, torch.device("cpu")), 0)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()
