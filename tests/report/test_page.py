"""The page in a real browser: everything on it can be used, by pointer and by keyboard, on a phone, in the dark, by anyone."""

import importlib.util
import json
import os
import shutil
import subprocess
import tarfile
from dataclasses import replace
from pathlib import Path

import pytest

from seq2seq.report import BuiltReport, build_report, write_report
from tests.report.invented import PROBE, copy_of, write_crowd

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def address(built, tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("page")
    write_report(built, folder)
    return (folder / "index.html").as_uri()


@pytest.fixture
def open_page(browser, address):
    """A function that opens the page and, at the end, has checked that it asked for nothing and complained of nothing."""
    opened, complaints = [], []

    def opener(width=1100, scheme="light", url=address):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on(
            "request", lambda request: complaints.append(request.url) if request.url[:5] not in ("file:", "data:") else None
        )
        page.set_default_timeout(10_000)
        page.goto(url)
        page.wait_for_selector("html[data-ready=yes]", timeout=20_000)
        opened.append(page)
        return page

    yield opener
    for page in opened:
        page.close()
    assert complaints == []


def system_order(page):
    return [cell.split()[0] for cell in page.locator("#systems-table tbody th").all_inner_texts()]


def test_columns_sort_both_ways_and_keep_gaps_last(open_page):
    page = open_page()
    assert system_order(page) == ["none", "additive", "scaled"]
    page.get_by_role("button", name="BLEU", exact=True).click()
    assert system_order(page) == ["additive", "scaled", "none"]
    page.get_by_role("button", name="BLEU", exact=True).click()
    assert system_order(page) == ["none", "scaled", "additive"]
    assert page.locator("th[aria-sort=ascending]").inner_text().startswith("BLEU")
    for _ in range(2):
        page.get_by_role("button", name="difference", exact=True).click()
        assert system_order(page)[-1] == "none"


def test_metric_and_edges_switch_the_length_figure(open_page, built):
    page = open_page()
    figure = page.locator("[data-figure=length]")
    label = figure.locator("svg[role=img]").first
    assert label.get_attribute("aria-label") == "BLEU against source length"
    figure.get_by_label("Metric").select_option("difference")
    assert label.get_attribute("aria-label") == "BLEU minus baseline against source length"
    figure.get_by_text("equal count").click()
    figure.locator("summary").click()
    heads = figure.locator("th[scope=col]").all_inner_texts()
    buckets = built.report.systems["none"].buckets_equal_count
    assert len(heads) == 1 + len(buckets)
    assert heads[1] == f"{buckets[0].min}–{buckets[0].max} (n={buckets[0].n})"


def test_the_figure_reads_values_by_pointer_and_by_arrow_keys(open_page, built):
    page = open_page()
    plot = page.locator("[data-figure=length] .plot")
    readout = page.locator("[data-figure=length] .readout")
    plot.focus()
    page.keyboard.press("ArrowLeft")
    last = built.report.systems["additive"].buckets[-1]
    assert f"additive {last.bleu:.1f} [{last.low:.1f}, {last.high:.1f}]" in readout.inner_text()
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    assert "1–10 source words, n = 15" in readout.inner_text()
    assert "underpowered" in readout.inner_text()
    page.keyboard.press("Escape")
    assert readout.inner_text().startswith("Point at")
    plot.hover()
    assert "source words, n =" in readout.inner_text()


def test_the_legend_hides_a_system_everywhere(open_page):
    page = open_page()
    button = page.locator("[data-figure=length] .legend button", has_text="scaled")
    button.focus()
    page.keyboard.press("Enter")
    assert button.get_attribute("aria-pressed") == "false"
    for figure in ("length", "learning", "cost"):
        assert "scaled" not in page.locator(f"[data-figure={figure}] svg .name").all_inner_texts()
    assert page.locator("#maps .map h3").all_inner_texts() == ["additive"]


def test_every_curve_and_cost_can_be_drawn(open_page):
    page = open_page()
    for figure in ("learning", "cost", "by-length"):
        for select in page.locator(f"[data-figure={figure}] select").all():
            for value in select.locator("option").evaluate_all("options => options.map(o => o.value)"):
                select.select_option(value)
                paths = page.locator(f"[data-figure={figure}] .plot path").evaluate_all(
                    "all => all.map(p => p.getAttribute('d'))"
                )
                assert paths
                assert not any("NaN" in path or "undefined" in path for path in paths)
    page.locator("[data-figure=cost]").get_by_label("Cost").select_option("decoding")
    assert page.locator("[data-figure=cost] .front").count() == 1


def test_translations_are_searched_filtered_and_ordered(open_page, texts):
    page = open_page()
    cards, status = page.locator("#sentences .card"), page.get_by_role("status")
    assert cards.count() == 20
    page.get_by_role("button", name="Show more").click()
    assert cards.count() == 40
    page.get_by_label("Source length", exact=True).select_option("0")
    assert status.inner_text().startswith("15 of 120 sentences")
    page.get_by_label("Source length", exact=True).select_option("all")
    page.get_by_label("Search").fill(texts[0][50][:40])
    assert cards.count() == 1
    assert cards.locator("h3").inner_text().startswith("Sentence 51 ")
    page.get_by_label("Search").fill("")
    page.get_by_label("Order").select_option("ahead:additive")
    gaps = []
    for card in cards.all()[:10]:
        scores = [int(text.split()[1].strip(",")) for text in card.locator("dt").all_inner_texts()[2:]]
        gaps.append(scores[1] - scores[0])
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 50


def test_matching_ngrams_are_marked_and_markup_is_text(open_page):
    page = open_page()
    first = page.locator("#sentences .card").nth(3)
    assert "<script>window.broken=1</script>" in first.inner_text()
    assert page.evaluate("window.broken") is None
    assert page.locator("#sentences script").count() == 0
    assert page.locator("#sentences mark.n4").count() > 0
    orders = page.evaluate("matches('a b c d x a'.split(' '), 'a b c d e'.split(' '))")
    assert orders == [4, 4, 4, 4, 0, 1]


def test_pointing_at_a_target_word_lights_up_its_source(open_page):
    page = open_page()
    additive = page.locator(".map").first
    words = additive.locator(".pieces button")
    words.nth(2).hover()
    assert words.nth(2).get_attribute("aria-pressed") == "true"
    lit = additive.locator(".lit").all_inner_texts()
    assert additive.locator(".pieces span").nth(2).inner_text() in lit
    assert page.locator(".map").nth(1).locator(".lit").count() == 0
    page.get_by_text("reference (forced)").click()
    words = page.locator(".map").first.locator(".pieces button")
    words.first.focus()
    page.keyboard.press("ArrowRight")
    assert words.nth(1).get_attribute("aria-pressed") == "true"
    assert page.locator(".map").nth(1).locator(".pieces button").nth(1).get_attribute("aria-pressed") == "true"
    assert "looks at" in page.locator(".map .readout").first.inner_text()
    page.keyboard.press("End")
    assert words.last.get_attribute("aria-pressed") == "true"


def test_another_sentence_draws_its_own_maps(open_page):
    page = open_page()
    before = page.locator(".map .pieces").first.inner_text()
    page.get_by_label("Sentence", exact=True).select_option("1")
    assert page.locator(".map .pieces").first.inner_text() != before
    assert page.locator(".map svg rect").count() > 10
    assert "Without weights to show: none." in page.locator("#maps").inner_text()


@pytest.mark.parametrize("width", [320, 375, 768])
def test_nothing_scrolls_sideways_on_a_phone(open_page, width):
    page = open_page(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Order").select_option("long")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_follows_the_system_and_the_button(open_page):
    page = open_page(scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    light = page.evaluate(ground)
    assert page.get_by_role("button", name="Theme: light").count() == 1
    assert (dark, light) == ("rgb(22, 24, 27)", "rgb(251, 250, 247)")


def test_print_is_light_and_without_controls(open_page):
    page = open_page(scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert not page.locator(".controls").first.is_visible()
    assert page.locator("#systems-table").is_visible()


def test_keyboard_reaches_everything_that_can_be_clicked(open_page):
    page = open_page()
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    unreachable = page.evaluate(
        "[...document.querySelectorAll('main button, main select, main input, main summary')]"
        ".filter(e => e.tabIndex < 0 && !e.closest('[role=toolbar]') && e.offsetParent).length"
    )
    assert unreachable == 0


def test_a_fixed_vector_is_labelled_in_place_of_an_empty_heat_map(open_page, built, tmp_path):
    attention = {
        index: {
            **systems,
            "none": systems["additive"].model_copy(update={"weights": zero(systems["additive"].weights), "forced": None}),
        }
        for index, systems in built.exhibits.attention.items()
    }
    write_report(BuiltReport(built.report, replace(built.exhibits, attention=attention)), tmp_path)
    page = open_page(url=(tmp_path / "index.html").as_uri())
    none = page.locator("#maps .map").first
    assert none.locator("h3").inner_text() == "none"
    assert "Fixed vector: no weights" in none.inner_text()
    assert none.locator("svg").count() == 0
    none.locator(".pieces button").nth(1).hover()
    assert "looks at no word" in none.locator(".readout").inner_text()


def zero(weights):
    return [[0.0 for _ in row] for row in weights]


def test_probes_are_drawn_and_read(open_page, study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    (folder / "probe.json").write_text(json.dumps(PROBE))
    write_report(build_report(folder, {"test": texts}), tmp_path / "report")
    page = open_page(url=(tmp_path / "report" / "index.html").as_uri())
    figure = page.locator("[data-figure=probe]")
    figure.locator(".plot").focus()
    page.keyboard.press("ArrowRight")
    assert "additive 97.5 [75.0, 100.0]" in figure.locator(".readout").inner_text()
    figure.get_by_text("place in the answer").click()
    assert figure.locator("svg[role=img]").last.get_attribute("aria-label") == "right words, %, by place in the answer"
    joined = page.locator("[data-figure=concatenation]")
    joined.locator(".plot").focus()
    page.keyboard.press("ArrowLeft")
    assert "3 joined, 22.5 source words, n = 20" in joined.locator(".readout").inner_text()
    joined.locator("summary").click()
    assert "refused" in joined.locator("table").inner_text()


def test_a_crowd_is_ranked_and_drawn_in_grey_but_for_a_few(open_page, texts, tmp_path):
    write_crowd(tmp_path / "runs", texts)
    write_report(build_report(tmp_path / "runs", {"test": texts}), tmp_path / "report")
    page = open_page(width=375, url=(tmp_path / "report" / "index.html").as_uri())
    figure = page.locator("[data-figure=length]")
    assert figure.locator(".rest").count() == 6
    assert page.locator("#ranking-table tbody tr").count() == 12
    assert page.locator("#sentences .card").first.locator("dt b").count() == 6
    figure.locator("details summary").first.click()
    button = figure.locator(".legend button[aria-pressed=false]").first
    button.click()
    assert figure.locator(".rest").count() == 5
    assert "7 of 12 systems in colour" in figure.locator("details summary").first.inner_text()
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_without_text_the_page_still_works(open_page, built, tmp_path):
    write_report(built, tmp_path, without_text=True)
    page = open_page(url=(tmp_path / "index.html").as_uri())
    assert page.locator("#sentences .card dt", has_text="source").count() == 0
    assert page.locator("#sentences .card dt", has_text="additive").count() == 20
    assert "left out of this page" in page.locator("#translations").inner_text()
    page.locator(".map .pieces button").nth(1).hover()
    assert "looks at" in page.locator(".map .readout").first.inner_text()


def test_one_system_without_logs_or_analyses_is_a_page_too(open_page, study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    for path in [*folder.glob("*.json"), *folder.glob("*/*/*.jsonl")]:
        path.unlink()
    for system in ("none", "additive"):
        shutil.rmtree(folder / system)
    (folder / "study.yaml").write_text(
        "evaluation: {metrics: [bleu, chrf], resamples: 100, buckets: {kind: equal_count, count: 3}}"
    )
    write_report(build_report(folder, {"test": texts}), tmp_path / "report")
    page = open_page(url=(tmp_path / "report" / "index.html").as_uri())
    assert page.locator("#learning").inner_text().endswith("These runs left no log.")
    assert page.locator("[data-figure=length] .plot path").count() > 5
    assert system_order(page) == ["scaled"]


@pytest.fixture(scope="module")
def axe(tmp_path_factory) -> str:
    """The axe-core script: named by $AXE_CORE, or from the npm registry."""
    if "AXE_CORE" in os.environ:
        return Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8")
    if shutil.which("npm") is None:
        pytest.skip("no npm to get axe-core with; set AXE_CORE to a copy of axe.min.js")
    place = tmp_path_factory.mktemp("axe")
    command = ["npm", "pack", "axe-core@4", "--silent", "--pack-destination", str(place)]
    try:
        subprocess.run(command, cwd=place, capture_output=True, timeout=60, check=True)
    except (subprocess.SubprocessError, OSError) as error:
        pytest.skip(f"axe-core could not be fetched: {error}")
    with tarfile.open(next(place.glob("axe-core-*.tgz"))) as archive:
        return archive.extractfile("package/axe.min.js").read().decode()


@pytest.mark.parametrize(
    ("width", "scheme", "rules"),
    [(1100, "light", None), (1100, "dark", ["color-contrast"]), pytest.param(375, "dark", None, marks=pytest.mark.slow)],
)
def test_axe_finds_nothing(open_page, axe, width, scheme, rules):
    page = open_page(width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.get_by_label("Search").fill("<script>")  # one sentence is as good as twenty, and axe is slow
    page.locator(".map .pieces button").nth(1).focus()
    page.evaluate(axe)
    result = page.evaluate("rules => axe.run({ resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) })", rules)
    assert [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in result["violations"]] == []
