"""The page of `seq2seq explore`: one types a sentence and sees what every system makes of it; a Gradio app (docs/models.md)."""

import os
import sys
import threading
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from seq2seq.config.errors import UserError
from seq2seq.study.api import Run, Translation, load_runs

os.environ.setdefault("GRADIO_ANALYTICS_ENABLED", "False")  # read when gradio is imported

ADDRESS = "127.0.0.1"
MAX_CHARACTERS = 2000
_INTRODUCTION = """# Explore
Type a sentence. Every system translates it; below each translation stands where the system looked: rows are the words of the
translation, columns those of the source, and a row is the attention while that word was written. Say the sentence several
times to see what length does to each system. Give an output to see where each system looks when it must write that."""


def answer(run: Run, text: str, output: str, times: int, by_words: bool) -> tuple[str, Any]:
    """Ask a system to translate, or to write `output`, said so many `times`: markup, and a chart of its attention or None."""
    try:
        source, target = (" ".join([one] * times) for one in (text, output))
        if max(len(source), len(target)) > MAX_CHARACTERS:
            raise UserError(f"longer than {MAX_CHARACTERS:,} characters, too much for this page")
        found = run.attend(source, target) if target.strip() else run.translate(source)[0]
        return _markup(found), None if found.weights is None else _chart(found, by_words)
    except UserError as error:  # one system may refuse a sentence that others take: too long for its positions
        return f"<p><em>{escape(str(error))}</em></p>", None


def _markup(found: Translation) -> str:
    notes = [] if found.score is None else [f"log-probability over length penalty {found.score:.3f}"]
    notes += ["cut at the length limit"] if found.truncated else []
    notes += ["a fixed vector: no weights"] if found.weights is None else []
    return f"<p>{escape(found.text)}</p><p><small>{escape('; '.join(notes))}</small></p>"


def _chart(found: Translation, by_words: bool) -> Any:
    chart: Any = found.draw(by_words=by_words)
    chart.usermeta = {"embedOptions": {"actions": False}}  # no link that would send it to an editor elsewhere
    return chart


def build_app(paths: Sequence[str | Path], *, allow_code: bool = False) -> Any:
    """Return the app over runs, or all runs under folders; a `UserError` if Gradio is missing, or a run cannot be loaded."""
    try:
        import gradio
    except ModuleNotFoundError:
        raise UserError("explore needs Gradio: pip install 'seq2seq[explore]'") from None
    runs = load_runs(*paths, allow_code=allow_code)
    with gradio.Blocks(title="Explore", analytics_enabled=False) as app:
        gradio.Markdown(_INTRODUCTION)
        text = gradio.Textbox(label="Sentence", max_length=MAX_CHARACTERS, autofocus=True)
        with gradio.Accordion("More", open=False):
            output = gradio.Textbox(label="Output that every system must write", max_length=MAX_CHARACTERS)
            times = gradio.Slider(1, 8, 1, step=1, label="Say the sentence so many times")
            by_words = gradio.Checkbox(True, label="Whole words, not subwords")
        button = gradio.Button("Translate", variant="primary")
        shown = []
        with gradio.Row():
            for name in runs:
                with gradio.Column(min_width=330):
                    shown += [
                        gradio.HTML(f"<h2>{escape(name)}</h2>"),
                        gradio.Plot(label=f"Attention of {name}", visible=False, container=False),
                    ]

        def ask(text: str | None, output: str | None, times: float, by_words: bool) -> list[Any]:
            if not (text or "").strip():
                raise gradio.Error("type a sentence first", print_exception=False)
            parts: list[Any] = []
            for name, run in runs.items():
                said, chart = answer(run, text or "", output or "", int(times), by_words)
                parts += [f"<h2>{escape(name)}</h2>{said}", gradio.Plot(chart, visible=chart is not None)]
            return parts

        gradio.on([button.click, text.submit, output.submit], ask, [text, output, times, by_words], shown, api_name="ask")
    return app


def launch(paths: Sequence[Path], *, port: int, allow_code: bool = False) -> tuple[Any, str]:
    """Serve the page on this machine only; return app and address. A `UserError` as of `build_app`, or for a taken port."""
    app = build_app(paths, allow_code=allow_code)
    from gradio.themes import Default

    try:
        _, url, _ = app.launch(
            server_name=ADDRESS,
            server_port=port or None,
            share=False,
            quiet=True,
            prevent_thread_lock=True,
            theme=Default(font=["system-ui", "sans-serif"], font_mono=["monospace"]),  # the usual ones come from another server
            footer_links=[],
        )
    except OSError:
        raise UserError(f"port {port} is taken; give another with --port, or --port 0 for a free one") from None
    return app, url


def explore(paths: Sequence[Path], *, port: int, allow_code: bool = False) -> None:
    """Serve the page until the person stops it; see `launch`."""
    app, url = launch(paths, port=port, allow_code=allow_code)
    print(f"{url}  (Ctrl-C ends it)", file=sys.stderr)
    try:
        threading.Event().wait()
    finally:
        app.close(verbose=False)
