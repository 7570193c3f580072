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

from seq2seq.report.build import BuiltReport, build_report
from seq2seq.report.charts import Figure
from seq2seq.report.figures import report_figures
from seq2seq.report.page import page as html_page
from seq2seq.report.palette import KNOWN
from tests.report.invented import PROBE, copy_of, write_crowd

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")

pytestmark = [
    pytest.mark.skipif(importlib.util.find_spec("playwright") is None, reason="playwright is not installed"),
    pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine (Debian: apt install chromium)"),
]


def write_page(built: BuiltReport, folder: Path, figures: list[Figure] | None = None, *, without_text: bool = False) -> str:
    """The page alone with these figures or all, and where it is: figures on paper take longer and are tested elsewhere."""
    exhibits = built.exhibits.without_text() if without_text else built.exhibits
    path = folder / "page.html"
    path.write_text(html_page(built.report, exhibits, figures or report_figures(built.report, exhibits)), encoding="utf-8")
    return path.as_uri()


def few(figures: list[Figure]) -> list[Figure]:
    """Those that a page of attention cannot do without."""
    return [figure for figure in figures if figure.name in ("bleu_by_length", "attention")]


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=CHROMIUM, args=arguments)
        yield chromium
        chromium.close()


@pytest.fixture
def open_page(browser, folder):
    """A function that opens the page and, at the end, has checked that it asked for nothing and complained of nothing."""
    opened, complaints = [], []

    def opener(width=1100, scheme="light", url=None):
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=scheme)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda message: complaints.append(message.text) if message.type in ("error", "warning") else None)
        page.on(
            "request", lambda request: complaints.append(request.url) if request.url[:5] not in ("file:", "data:") else None
        )
        page.set_default_timeout(90_000)
        page.goto(url or (folder / "index.html").as_uri())
        page.wait_for_selector("html[data-ready=yes]", timeout=120_000)
        opened.append(page)
        return page

    yield opener
    for page in opened:
        page.close()
    assert complaints == []


def until(page, condition):
    """Wait for what the page draws; its policy forbids the expressions of `wait_for_function`."""
    for _ in range(600):
        if condition():
            return
        page.wait_for_timeout(100)
    raise AssertionError("the page did not get there")


def system_order(page):
    return [cell.split()[0] for cell in page.locator("#systems-table tbody th").all_inner_texts()]


def test_columns_sort_both_ways_and_more_of_them_come_on_demand(open_page):
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
    heads = page.locator("#systems-table thead th:visible")
    assert [text.split()[0] for text in heads.all_inner_texts() if text] == [
        "system", "BLEU", "difference", "kept", "seeds", "parameters",
    ]  # fmt: skip
    page.get_by_label("more columns").check()
    assert page.get_by_role("button", name="chrF").is_visible()
    assert "score = v . tanh(W_q q + W_k k)" in page.locator("#systems-table tbody tr", has_text="additive").inner_text()


def test_metric_and_edges_switch_the_length_figure(open_page):
    page = open_page()
    figure = page.locator("[data-figure=bleu_by_length]")
    assert figure.locator("svg .role-title-text").text_content() == "BLEU"
    figure.get_by_label("Show").select_option(label="BLEU minus baseline")
    assert figure.locator("svg .role-title-text").text_content() == "BLEU minus baseline"
    before = marks(figure)
    figure.get_by_label("Buckets").select_option(label="equal count")
    until(page, lambda: marks(figure) != before)
    assert "none" not in names(figure)


def marks(figure):
    return figure.locator(".mark-symbol path").count()


def names(figure):
    """Names at the ends of lines."""
    return [text for text in figure.locator(".role-mark.mark-text text").all_text_contents() if text]


def test_the_first_screen_is_the_answer_and_the_figure(open_page, built):
    page = open_page(width=1280)
    answer = page.locator(".headline").bounding_box()
    figure = page.locator("[data-figure=bleu_by_length]").bounding_box()
    assert answer["y"] < figure["y"]
    assert figure["y"] + 0.8 * figure["height"] < 800
    assert sorted(names(page.locator("[data-figure=bleu_by_length]"))) == ["additive", "none", "scaled"]
    assert not page.locator(".notes ul").is_visible()


def test_numbers_and_files_behind_a_figure_are_reached(open_page, built, folder):
    page = open_page()
    figure = page.locator("figure", has=page.locator("[data-figure=bleu_by_length]"))
    figure.locator("summary").focus()
    page.keyboard.press("Enter")
    last = built.report.systems["additive"].buckets[-1]
    row = figure.locator("tbody tr", has_text="additive").inner_text()
    assert f"{last.bleu:.1f} [{last.low:.1f}, {last.high:.1f}] ↑" in row
    assert "†" in row  # the first bucket has 15 sentences
    assert "15" in figure.locator("tbody tr").first.inner_text()
    links = page.locator("a[href]:not([href^='#']):not([href^='https:'])").evaluate_all(
        "all => all.map(a => a.getAttribute('href'))"
    )

    assert {"report.json", "table.tex", "buckets.csv", "bleu_by_length.pdf", "attention.svg"} <= set(links)
    assert [link for link in links if not (folder / link).exists()] == []
    assert page.locator("a[href='https://arxiv.org/abs/1409.0473']").count() >= 1  # under the name of additive


def test_pointing_at_a_line_reads_its_value_and_dims_the_others(open_page, built):
    page = open_page()
    figure = page.locator("[data-figure=bleu_by_length]")
    box = figure.locator("svg").bounding_box()
    text = figure.locator(".role-mark.mark-text text", has_text="none").bounding_box()
    page.mouse.move(text["x"] - 12, text["y"] + text["height"] / 2)
    last = built.report.systems["none"].buckets[-1]
    page.wait_for_selector("#vg-tooltip-element.visible")
    told = page.locator("#vg-tooltip-element").inner_text()
    assert f"none: {last.bleu:.4g}" in told
    assert f"n = {last.n}" in told
    assert box["width"] > 900


def test_every_view_of_every_figure_can_be_drawn(open_page):
    page = open_page()
    for select in page.locator("[data-figure] select").all():
        for value in select.locator("option").evaluate_all("options => options.map(o => o.value)"):
            select.select_option(value)
            page.wait_for_timeout(30)
            paths = page.locator("[data-figure] svg path[d]").evaluate_all("all => all.map(p => p.getAttribute('d'))")
            assert paths
            assert not any("NaN" in path or "undefined" in path for path in paths)


def test_translations_are_searched_filtered_and_ordered(open_page, texts):
    page = open_page()
    cards, status = page.locator("#sentences .card"), page.get_by_role("status")
    assert cards.count() == 5
    page.get_by_role("button", name="Show more").click()
    assert cards.count() == 25
    page.get_by_label("Source length", exact=True).select_option("0")
    assert status.inner_text().startswith("15 of 120 sentences")
    page.get_by_label("Source length", exact=True).select_option("all")
    page.get_by_role("searchbox").fill(texts[0][50][:40])
    assert cards.count() == 1
    assert cards.locator("h3").inner_text().startswith("Sentence 51 ")
    page.get_by_role("searchbox").fill("")
    page.get_by_label("Order", exact=True).select_option("ahead of:additive")
    gaps = []
    for card in cards.all()[:10]:
        scores = [int(text.split()[1].strip(",")) for text in card.locator("dt").all_inner_texts()[2:]]
        gaps.append(scores[1] - scores[0])
    assert gaps == sorted(gaps, reverse=True)
    assert gaps[0] > 50
    page.get_by_label("Order", exact=True).select_option("corpus")
    first = page.locator("#sentences .card").nth(3)
    assert "<script>window.broken=1</script>" in first.inner_text()
    assert page.evaluate("window.broken") is None
    assert page.locator("#sentences script").count() == 0
    assert page.locator("#sentences mark.n4").count() > 0
    orders = page.evaluate("matches('a b c d x a'.split(' '), 'a b c d e'.split(' '))")
    assert orders == [4, 4, 4, 4, 0, 1]


def test_pointing_at_a_target_word_lights_up_the_shared_source(open_page):
    page = open_page()
    additive = page.locator(".map").first
    words = additive.locator(".target-line button")
    words.nth(2).hover()
    assert words.nth(2).get_attribute("aria-pressed") == "true"
    assert page.locator(".source-line .lit").count() >= 1
    assert page.locator(".source-line").count() == 1
    assert "looks at" in page.locator("#maps .readout").inner_text()
    page.get_by_label("Target", exact=True).select_option(label="reference (forced)")
    words = page.locator(".map").first.locator(".target-line button")
    page.mouse.move(0, 0)
    words.first.focus()
    page.keyboard.press("ArrowRight")
    assert words.nth(1).get_attribute("aria-pressed") == "true"
    page.keyboard.press("End")
    assert words.last.get_attribute("aria-pressed") == "true"
    before = page.locator(".source-line").inner_text()
    page.get_by_label("Sentence", exact=True).select_option("1")
    assert page.locator(".source-line").inner_text() != before
    until(page, lambda: page.locator(".heat svg .mark-rect path").count() > 10)


def test_words_are_shown_first_and_subwords_on_demand(open_page, built, figures, tmp_path):
    parts = {
        "source": ["▁Leh", "rer", "▁da", "</s>"],
        "hypothesis": ["▁a", "▁b", "</s>"],
        "weights": [[0.25] * 4] * 3,
        "forced": None,
    }
    shown = built.exhibits.attention[5]["additive"].model_copy(update=parts)
    exhibits = replace(built.exhibits, attention={5: {"additive": shown}})
    page = open_page(url=write_page(BuiltReport(built.report, exhibits), tmp_path, few(figures)))
    assert page.locator(".source-line span").all_inner_texts() == ["Lehrer", "da", "(end)"]
    page.get_by_label("Units", exact=True).select_option("subwords")
    assert page.locator(".source-line span").all_inner_texts() == ["Leh", "rer", "da", "</s>"]
    until(page, lambda: page.locator(".heat svg .mark-rect path").count() == 12 + 1)  # and the bar of the scale


@pytest.mark.parametrize("width", [320, *(pytest.param(width, marks=pytest.mark.slow) for width in (375, 768))])
def test_nothing_scrolls_sideways_on_a_phone(open_page, width):
    page = open_page(width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.get_by_label("Order", exact=True).select_option("long")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_dark_follows_the_system_and_the_button(open_page):
    page = open_page(scheme="dark")
    ground = "getComputedStyle(document.body).backgroundColor"
    label = page.locator("[data-figure=bleu_by_length] .role-mark.mark-text text", has_text="additive")
    assert label.get_attribute("fill") == KNOWN["additive"].dark
    dark = page.evaluate(ground)
    page.get_by_role("button", name="Theme: system").click()
    light = page.evaluate(ground)
    assert page.get_by_role("button", name="Theme: light").count() == 1
    until(page, lambda: label.get_attribute("fill") == KNOWN["additive"].light)
    assert (dark, light) == ("rgb(22, 24, 27)", "rgb(251, 250, 247)")


def test_the_keyboard_reaches_everything_and_print_is_light_and_without_controls(open_page):
    page = open_page(scheme="dark")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    unreachable = page.evaluate(
        "[...document.querySelectorAll('main button, main select, main input, main summary')]"
        ".filter(e => e.tabIndex < 0 && !e.closest('[role=toolbar]') && e.offsetParent).length"
    )
    assert unreachable == 0
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert not page.locator(".controls").first.is_visible()
    assert page.locator("#systems-table").is_visible()


def test_a_fixed_vector_is_a_sentence_and_no_empty_heat_map(open_page, built, figures, tmp_path):
    attention = {}
    for index, systems in built.exhibits.attention.items():
        weights = [[0.0 for _ in row] for row in systems["additive"].weights]
        attention[index] = {**systems, "none": systems["additive"].model_copy(update={"weights": weights, "forced": None})}
    fixed = BuiltReport(built.report, replace(built.exhibits, attention=attention))
    page = open_page(url=write_page(fixed, tmp_path, few(figures)))
    assert page.locator("#maps .map h3").all_inner_texts() == ["additive", "scaled"]
    assert "Without weights to show here: none." in page.locator("#maps").inner_text()


def test_probes_are_drawn(open_page, study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    (folder / "probe.json").write_text(json.dumps(PROBE))
    page = open_page(url=write_page(build_report(folder, {"test": texts}), tmp_path))
    assert sorted(names(page.locator("[data-figure=probe]"))) == ["additive", "none"]
    assert page.locator("[data-figure=probe_positions] .mark-line path").count() == 2
    joined = page.locator("figure", has=page.locator("[data-figure=concatenation]"))
    joined.locator("summary").click()
    assert "refused" in joined.locator("table").inner_text()


def test_a_crowd_is_ranked_first_and_drawn_in_grey_but_for_a_few(open_page, texts, tmp_path):
    write_crowd(tmp_path / "runs", texts)
    page = open_page(width=375, url=write_page(build_report(tmp_path / "runs", {"test": texts}), tmp_path))
    assert page.locator("[data-figure]").first.get_attribute("data-figure") == "ranking"
    assert len(names(page.locator("[data-figure=bleu_by_length]"))) == 6
    assert page.locator("[data-figure=bleu_by_length] .mark-line path[stroke='#8f8f94']").count() >= 6
    assert page.locator("#systems-table tbody tr").count() == 12
    assert page.locator("#sentences .card").first.locator("dt b").count() == 6
    page.get_by_text("Choose systems").click()
    page.locator(".systems input:not(:checked)").first.check()
    assert page.locator("#sentences .card").first.locator("dt b").count() == 7
    assert page.evaluate("document.documentElement.scrollWidth") <= 375


def test_without_text_the_page_still_works(open_page, built, tmp_path):
    page = open_page(url=write_page(built, tmp_path, without_text=True))
    assert page.locator("#sentences .card dt", has_text="source").count() == 0
    assert page.locator("#sentences .card dt", has_text="additive").count() == 5
    assert "left out of this page" in page.locator("#translations").inner_text()
    assert page.locator("#attention").count() == 0


def test_where_the_corpus_may_not_be_shown_a_sentence_of_our_own_is(open_page, built, figures, tmp_path):
    shown = built.exhibits.attention[5]["additive"].model_copy(
        update={"source": ["▁our", "▁own", "</s>"], "weights": [[0.2, 0.3, 0.5]] * 40, "forced": None}
    )
    own = BuiltReport(built.report, replace(built.exhibits, own_attention={0: {"additive": shown}}))
    page = open_page(url=write_page(own, tmp_path, few(figures), without_text=True))
    assert page.locator(".source-line span").all_inner_texts() == ["our", "own", "(end)"]
    assert "The sentences are ours" in page.locator("#attention").inner_text()


def test_one_system_without_logs_or_analyses_is_a_page_too(open_page, study, texts, tmp_path):
    folder = copy_of(study, tmp_path)
    for path in [*folder.glob("*.json"), *folder.glob("*/*/*.jsonl")]:
        path.unlink()
    for system in ("none", "additive"):
        shutil.rmtree(folder / system)
    (folder / "study.yaml").write_text(
        "evaluation: {metrics: [bleu, chrf], resamples: 100, buckets: {kind: equal_count, count: 3}}"
    )
    page = open_page(url=write_page(build_report(folder, {"test": texts}), tmp_path))
    assert page.locator("#learning").count() == 0
    assert page.locator("[data-figure=bleu_by_length] .mark-symbol path").count() >= 3
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
    [
        (1100, "light", None),
        pytest.param(1100, "dark", ["color-contrast"], marks=pytest.mark.slow),
        pytest.param(375, "dark", None, marks=pytest.mark.slow),
    ],
)
def test_axe_finds_nothing(open_page, axe, width, scheme, rules):
    page = open_page(width=width, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(details => { details.open = true })")
    page.get_by_role("searchbox").fill("<script>")  # one sentence is as good as twenty, and axe is slow
    page.locator(".map .target-line button").nth(1).focus()
    page.evaluate(axe)
    result = page.evaluate("rules => axe.run({ resultTypes: ['violations'], ...(rules ? { runOnly: rules } : {}) })", rules)
    assert [(violation["id"], violation["nodes"][0]["html"][:200]) for violation in result["violations"]] == []
