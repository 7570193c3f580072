"""The explorer in a real browser: type a sentence, see what every system makes of it."""

import importlib.util
import shutil

import pytest

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]


@pytest.fixture(scope="module")
def opened(server):
    """The page, and what it complained of."""
    from playwright.sync_api import sync_playwright

    complaints = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--headless=new", "--no-sandbox", "--disable-gpu"])
        page = browser.new_page(viewport={"width": 375, "height": 800})
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.set_default_timeout(20_000)
        page.goto(f"http://127.0.0.1:{server.server_port}/")
        yield page, complaints
        browser.close()


def ask(page, text):
    page.get_by_label("Sentence").fill(text)
    page.get_by_role("button", name="Translate").focus()
    page.keyboard.press("Enter")


def test_every_system_answers_with_its_heat_map(opened):
    page, complaints = opened
    ask(page, "the old man")
    page.locator("#answers section").first.wait_for()
    assert page.locator("#answers h2").all_inner_texts() == ["additive", "none <i>", "short"]
    heads = page.locator("#answers section").first.locator("thead th").all_inner_texts()
    assert "".join(heads).replace("\u2581", " ").strip() == "the old man</s>"
    rows = page.locator("#answers section").first.locator("tbody tr")
    assert rows.count() > 0
    assert rows.first.locator("td").count() == len(heads)
    none = page.locator("#answers section").nth(1)
    assert none.locator("table").count() == 0
    assert "fixed vector: no weights" in none.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    assert complaints == []


def test_markup_that_is_typed_is_shown_as_text(opened):
    page, complaints = opened
    ask(page, "<script>window.broken=1</script> <img src=x onerror=window.broken=2>")
    page.locator("#answers thead", has_text="img").first.wait_for()
    heads = page.locator("#answers section").first.locator("thead th").all_inner_texts()
    assert "".join(heads).startswith("▁<s<0x63>ri")  # this tokenizer spells letters that it never saw as bytes
    assert page.evaluate("window.broken") is None
    assert page.locator("#answers script, #answers img").count() == 0
    assert complaints == []


def test_nothing_typed_is_told(opened):
    page, _ = opened
    ask(page, "   ")
    page.get_by_role("status").get_by_text("type a sentence first").wait_for()
