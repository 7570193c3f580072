"""The page where every system translates what one types, with untrained runs behind it."""

import importlib.util
import shutil
import signal
import subprocess
import sys

import pytest
import torch

from seq2seq.cli import main
from seq2seq.config.data import TokenizerSettings
from seq2seq.corpus.tokenizer import Tokenizer
from seq2seq.study import explore
from seq2seq.study.api import Run
from tests.small_run import write_run
from tests.study.untrained import LINES, SIZE, make_run

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
NASTY = "<script>window.broken=1</script> house"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    tokenizer = Tokenizer.train(LINES, TokenizerSettings(vocabulary_size=SIZE))
    scores = {"additive": "additive", "none <i>": "none", "short": {"kind": "location", "max_source": 5}}
    folder = tmp_path_factory.mktemp("runs")
    return {name: Run(make_run(tokenizer, folder, score=score), torch.device("cpu")) for name, score in scores.items()}


def ask(run, text, output="", times=1, by_words=True):
    said, chart = explore.answer(run, text, output, times, by_words)
    return said, chart.to_dict(validate=False) if chart is not None else None


def test_a_system_says_its_translation_and_where_it_looked(runs):
    said, chart = ask(runs["additive"], "the old man")
    assert "log-probability over length penalty -" in said
    assert chart["params"][0]["value"] == ["the", "old", "man", "(end)"]
    assert len(ask(runs["additive"], "the old man", by_words=False)[1]["params"][0]["value"]) > 4


def test_a_fixed_vector_shows_no_map(runs):
    said, chart = ask(runs["none <i>"], "the old man")
    assert "a fixed vector: no weights" in said
    assert chart is None


def test_an_output_is_forced(runs):
    said, chart = ask(runs["additive"], "the old man", output="a green house")
    assert "a green house" in said
    assert "log-probability" not in said
    assert chart["params"][1]["value"] == ["a", "green", "house", "(end)"]


def test_a_sentence_is_said_several_times(runs):
    _, chart = ask(runs["additive"], "the man", times=3)
    assert chart["params"][0]["value"] == [*["the", "man"] * 3, "(end)"]


def test_what_one_system_refuses_is_said_as_text(runs):
    assert "longer than max_source 5" in ask(runs["short"], " ".join(LINES[:2]))[0]
    assert "too much for this page" in ask(runs["additive"], "a " * 300, times=5)[0]


def test_markup_that_is_typed_is_shown_as_text(runs):
    said, _ = ask(runs["additive"], NASTY, output=NASTY)
    assert "<script" not in said
    assert "&lt;" in said


def test_without_gradio_it_says_what_to_install(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "gradio", None)
    assert main(["explore", str(tmp_path)]) == 2
    assert "pip install 'seq2seq[explore]'" in capsys.readouterr().err


@pytest.fixture
def serve(tmp_path):
    """Start the command in a process of its own; returns it and its first line."""
    processes = []

    def start(*arguments):
        code = "import sys; from seq2seq.cli import main; sys.exit(main(sys.argv[1:]))"
        command = [sys.executable, "-c", code, "explore", str(tmp_path), *arguments]
        processes.append(subprocess.Popen(command, stderr=subprocess.PIPE, text=True))
        return processes[-1], processes[-1].stderr.readline()

    yield start
    for process in processes:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed")
@pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)")
def test_the_page_in_a_browser_asks_no_other_server(serve, tmp_path):
    pytest.importorskip("gradio")
    from playwright.sync_api import sync_playwright

    for score in ("additive", "none"):
        tokenizer = Tokenizer.train(LINES, TokenizerSettings(vocabulary_size=SIZE))
        write_run(tmp_path / score / "seed-1", tokenizer, 5, attention={"score": score})
    process, said = serve("--port", "0")
    url = said.split()[0]
    assert url.startswith("http://127.0.0.1:")
    other, said = serve("--port", url.rsplit(":", 1)[1].strip("/"))
    assert other.wait(60) == 2
    assert "give another with --port" in said
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless=new", "--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 390, "height": 800})
        asked = []
        page.on("request", lambda request: asked.append(request.url))
        page.set_default_timeout(60_000)
        page.goto(url)
        page.get_by_label("Sentence", exact=True).fill(NASTY)
        page.get_by_role("button", name="Translate").click()
        page.get_by_text("fixed vector").first.wait_for()
        page.locator(".vega-embed canvas, .vega-embed svg").first.wait_for()
        assert page.locator("h2").all_inner_texts() == ["additive", "none"]
        assert page.evaluate("window.broken") is None
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
        assert asked
        assert all(place.startswith((url, "data:", "blob:")) for place in asked), asked
        browser.close()
    assert process.poll() is None
