"""The page in headless Chromium: no errors, no requests, the numbers of the JSON, on a phone, in the dark, by keyboard."""

import json
import math

import numpy as np
import pytest

from xent import compare, evaluate, scan
from xent.report import comparison_html

SCRIPT = "<script>window.pwned = true; alert(1)</script>"


def softmax(scores):
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    return odds / odds.sum(axis=1, keepdims=True)


def many(classes, sharpness=1.0, infinite=False, unit="nats"):
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, 1500)
    scores = random.normal(size=(1500, classes))
    scores[np.arange(1500), labels] += 3.0
    predictions = softmax(sharpness * scores)
    if infinite:
        predictions[7] = np.eye(classes)[(labels[7] + 1) % classes]
    return evaluate(labels, predictions, classes=list(range(classes)), unit=unit)


def named():
    names = [SCRIPT, '"><img src=x onerror="window.pwned=true">', "an honest name, but a long one " * 4]
    return evaluate([names[0], names[1], names[2]], softmax(3.0 * np.eye(3)), classes=names)


def two_classes():
    random = np.random.default_rng(3)
    z = 1.5 * random.normal(size=1500)
    labels = (random.random(1500) < 1.0 / (1.0 + np.exp(-z))).astype(int)
    return labels, 1.0 / (1.0 + np.exp(-2.5 * z - 0.7)), 1.0 / (1.0 + np.exp(-z))


def grouped():
    labels, predictions, _ = two_classes()
    of = np.arange(1500) % 3
    predictions = np.where(of == 0, 1.0 - predictions, predictions)
    return evaluate(labels, predictions, group=np.array([SCRIPT, "south", "x" * 80])[of], cluster=np.arange(1500) // 10)


def soft():
    random = np.random.default_rng(5)
    labels = random.dirichlet(np.ones(4), 300)
    return evaluate(
        labels, softmax(2.0 * np.log(labels + 0.05) + random.normal(size=labels.shape)), classes=list("abcd")
    )


def comparison():
    labels, old, new = two_classes()
    names = ["old", "new", "an honest name, but a long one"]
    return compare(old, new, new**2, labels=labels, names=names, group=np.array(["north", SCRIPT])[np.arange(1500) % 2])


REPORTS = {
    "ten": lambda: evaluate([1, 1, 0, 0, 1, 0, 1, 0, 1, 1], [0.8, 0.9, 0.1, 0.2, 0.75, 0.3, 0.95, 0.05, 0.6, 0.4]),
    "overconfident": lambda: many(10, sharpness=100.0),
    "infinite": lambda: many(10, infinite=True),
    "thousand": lambda: many(1000, unit="bits"),
    "named": named,
    "two": lambda: evaluate(*two_classes()[:2]),
    "grouped": grouped,
    "soft": soft,
    "comparison": comparison,
    "one": lambda: evaluate([1], [0.8], classes=[0, 1]),
}


@pytest.fixture(scope="module")
def reports():
    return {name: make() for name, make in REPORTS.items()}


@pytest.fixture(scope="module")
def paths(reports, tmp_path_factory):
    """Where the pages of the reports are."""
    folder = tmp_path_factory.mktemp("pages")
    for name, report in reports.items():
        write = comparison_html.write if name == "comparison" else type(report).html
        write(report, folder / f"{name}.html")
    return {name: folder / f"{name}.html" for name in reports}


@pytest.fixture
def show(contexts, paths):
    """Show a report's page; at the end, nothing may have gone wrong or over the network."""
    pages, troubles, requests, files = [], [], [], set()

    def show(name, **options):
        files.add(paths[name].as_uri())
        page = contexts(**options).new_page()
        pages.append(page)
        page.set_default_timeout(5000)
        page.on("console", lambda message: troubles.append(message.text))
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: troubles.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(paths[name].as_uri())
        return page

    yield show
    for page in pages:
        page.close()
    assert troubles == []
    assert set(requests) - {"data:,"} == files


def json_value(data, key):
    for step in key.split("."):
        data = None if data is None else data[int(step)] if step.isdigit() else data[step]
    return data


@pytest.mark.parametrize("name", REPORTS)
def test_it_shows_the_numbers_of_the_json(show, reports, name):
    page = show(name)
    data = json.loads(reports[name].json())
    shown = page.eval_on_selector_all(
        "[data-key]", "all => all.map(e => [e.dataset.key, e.dataset.value, e.textContent])"
    )
    assert len(shown) > 10
    for key, value, text in shown:
        expected = json_value(data, key)
        assert value == ("null" if expected is None else str(expected)), key
        assert text.strip(), key
    if name == "comparison":
        return
    assert page.inner_text(".answer [data-key=loss]") == ("∞" if name == "infinite" else f"{data['loss']:.3f}")
    assert reports[name].verdict in page.text_content(".verdict")


def test_ten_rows_by_hand(show):
    page = show("ten")
    loss = -sum(map(math.log, [0.8, 0.9, 0.9, 0.8, 0.75, 0.7, 0.95, 0.95, 0.6, 0.4])) / 10
    assert abs(float(page.get_attribute(".answer [data-key=loss]", "data-value")) - loss) < 1e-15
    assert page.inner_text("[data-key=loss]") == "0.283"
    assert page.inner_text("[data-key='worst.0.probability']") == "0.400"


@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_a_phone(show, name):
    page = show(name, viewport={"width": 360, "height": 780})
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    page.eval_on_selector_all("details", "all => all.forEach(e => e.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


LINES = """all => all.map((e) => { const r = document.createRange(), lines = new Set(); r.selectNodeContents(e);
  for (const box of r.getClientRects()) if (box.width) lines.add(Math.round(box.top)); return [e.textContent, lines.size]; })"""


@pytest.mark.parametrize("lang", ["en", "zh"])
@pytest.mark.parametrize("name", REPORTS)
def test_no_label_of_a_plot_is_cut_off_on_a_phone(show, name, lang):
    page = show(name, viewport={"width": 360, "height": 780})
    page.evaluate(f"location.hash = '{lang}'")
    page.eval_on_selector_all("details", "all => all.forEach(e => e.open = true)")
    labels = page.eval_on_selector_all(
        ".plot text",
        """all => all.filter(e => e.textContent.trim() && e.checkVisibility())
        .map(e => { const box = e.getBoundingClientRect(); return [e.textContent, box.left, box.right]; })""",
    )
    assert len(labels) > 5
    assert [label for label in labels if label[1] < 0 or label[2] > 360] == []


@pytest.mark.parametrize("name", REPORTS)
def test_lines_break_within_no_number_and_no_option(show, name):
    page = show(name, viewport={"width": 360, "height": 780})
    page.eval_on_selector_all("details", "all => all.forEach(e => e.open = true)")
    kept = page.eval_on_selector_all("#en .kept, #en td.n, #en .num [data-key]", LINES)
    assert len(kept) > 5
    assert [text for text, lines in kept if lines > 1] == []
    if name == "infinite":
        assert any(text == "--clip 1e-7" for text, _ in kept)
        assert "∞ to ∞" not in page.inner_text("#en header")


def test_the_worst_rows_show_what_they_cost_first(browser, tmp_path):
    folder = tmp_path / "predictions_of_a_long_name" / "digits_logistic_regression"
    folder.mkdir(parents=True)
    for part in ("part_0.csv", "part_1.csv"):
        (folder / part).write_text("y,p\n1,0.4\n0,0.9\n1,0.8\n0,0.2\n")
    page = browser.new_page(viewport={"width": 360, "height": 780})
    for pattern in ("part_0.csv", "part_*.csv"):
        scan(str(folder / pattern), label="y", prediction="p").html(tmp_path / "page.html")
        page.goto((tmp_path / "page.html").as_uri())
        for key in ("worst.0.loss", "worst.0.probability"):
            box = page.locator(f"#en [data-key='{key}']").bounding_box()
            assert 0 <= box["x"] <= box["x"] + box["width"] <= 340
        cells = page.locator("#en [aria-label*='worst rows' i] tbody tr >> nth=0").locator("td")
        assert cells.last.inner_text() == ("1" if pattern == "part_0.csv" else "part_0.csv")
    assert cells.last.get_attribute("title") == str(folder / "part_0.csv")
    page.close()


@pytest.mark.parametrize("width", [360, 1280])
def test_names_of_models_break_at_their_joints(browser, tmp_path, width):
    labels, old, new = two_classes()
    names = ["digits_logistic_regression", "digits_naive_bayes"]
    comparison_html.write(compare(old, new, labels=labels, names=names), tmp_path / "page.html")
    page = browser.new_page(viewport={"width": width, "height": 780})
    page.goto((tmp_path / "page.html").as_uri())
    found = page.eval_on_selector_all("#en td bdi, #en th bdi", LINES)
    assert {text for text, _ in found} >= set(names)
    assert all(lines <= len(text.split("_")) for text, lines in found)
    if width == 1280:  # there is room for all of it
        assert {lines for _, lines in page.eval_on_selector_all("#en th bdi", LINES)} == {1}
        assert page.text_content("#en .beside >> nth=0") == names[0]
    page.close()


def test_dark_mode_is_dark(show):
    grounds = {}
    for scheme in ("light", "dark"):
        page = show("ten", color_scheme=scheme)
        colour = page.evaluate("getComputedStyle(document.body).backgroundColor")
        grounds[scheme] = sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(",")))
    assert grounds["light"] > 600
    assert grounds["dark"] < 150


def test_paper_is_light_and_has_no_controls(show):
    page = show("overconfident", color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.is_visible("summary")
    assert page.pdf(format="A4").startswith(b"%PDF")


def test_names_are_inert(show):
    page = show("named")
    assert page.evaluate("window.pwned") is None
    assert page.locator("script").count() == 1
    assert page.locator("img").count() == 0
    page.click("summary:has-text('bars')")
    assert SCRIPT in page.inner_text("[aria-label^='Table of the loss by class']")


@pytest.mark.parametrize("name", REPORTS)
def test_every_plot_is_named_for_those_who_cannot_see_it(show, name):
    page = show(name)
    plots = page.query_selector_all("svg:not([aria-hidden])")
    assert len(plots) >= (2 if name == "comparison" else 4)
    for plot in plots:
        assert plot.get_attribute("role") == "img"
        assert len(plot.get_attribute("aria-label")) > 12
        # What has the role of an image has no children for a screen reader, so nothing inside may take the focus.
        assert plot.query_selector("[tabindex], a, button") is None


def test_tooltips_by_keyboard(show):
    page = show("ten")
    tip = page.locator("#tip")
    assert not tip.is_visible()
    plot = page.get_by_role("group", name="Histogram")
    while not plot.evaluate("e => e === document.activeElement"):
        page.keyboard.press("Tab")
    assert tip.is_visible()
    first = tip.inner_text()
    assert first.replace("\xa0", " ").splitlines() == ["0 nats to 0.087 nats", "2 rows, 20 %", "4 % of the loss"]
    page.keyboard.press("ArrowRight")
    assert tip.inner_text() != first
    page.keyboard.press("Home")
    assert tip.inner_text() == first
    page.keyboard.press("Escape")
    assert not tip.is_visible()
    page.keyboard.press("End")
    assert "32 % of the loss" in tip.inner_text().replace("\xa0", " ")
    page.keyboard.press("Tab")
    assert not tip.is_visible()


def test_tooltips_by_pointer_stay_on_the_screen(show):
    page = show("named", viewport={"width": 360, "height": 780})
    page.locator("[aria-label^='Bars of loss by class'] [data-tip] >> nth=0").hover()
    lines = page.inner_text("#tip").replace("\xa0", " ").splitlines()
    assert lines == [SCRIPT, "1 row, 33 %", "loss 0.095 nats", "baseline 1.099", "33 % of the loss"]
    box = page.locator("#tip").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 360


def test_it_reads_without_scripts(show):
    page = show("overconfident", java_script_enabled=False)
    assert "overconfident" in page.inner_text(".alarm")
    assert page.is_visible("text=How to read it")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_heat_table_can_be_read(show, scheme):
    page = show("overconfident", color_scheme=scheme)
    colours = page.eval_on_selector_all(
        "#en .heat td",
        """all => all.map(e => {
          const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
          const rgb = (colour) => { pixel.fillStyle = colour; pixel.fillRect(0, 0, 1, 1);
            return [...pixel.getImageData(0, 0, 1, 1).data].slice(0, 3); };
          const own = getComputedStyle(e);
          const ground = own.backgroundColor === "rgba(0, 0, 0, 0)" ? getComputedStyle(document.body) : own;
          return [rgb(own.color), rgb(ground.backgroundColor)];
        })""",
    )
    assert len(colours) == 100
    for ink, ground in colours:
        dark, light = sorted(map(luminance, (ink, ground)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5  # WCAG 2.2, AA


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255.0 for part in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("name", ["two", "grouped", "soft", "comparison"])
def test_every_picture_can_be_stepped_through_by_keyboard(show, name):
    page = show(name)
    page.eval_on_selector_all("details", "all => all.forEach(e => e.open = true)")
    plots = page.query_selector_all("#en .plot[tabindex]")
    assert len(plots) >= 3
    for plot in plots:
        assert plot.get_attribute("role") == "group"
        plot.focus()
        page.keyboard.press("End")
        assert page.is_visible("#tip.on")
        assert len(page.inner_text("#tip")) > 10


def test_the_reliability_of_two_classes_before_and_after_the_cure(show):
    page = show("two")
    plot = page.locator("[aria-label^='Reliability of class 1.']")
    assert plot.locator("circle.dot").count() == plot.locator("circle.ring").count() >= 15
    far = """all => all.map(e => Math.abs(parseFloat(e.getAttribute("cx")) - 100 + parseFloat(e.getAttribute("cy"))))"""
    before, after = (np.mean(plot.locator(f"circle.{kind}").evaluate_all(far)) for kind in ("dot", "ring"))
    assert after < 0.5 * before  # from the diagonal
    plot.focus()
    page.keyboard.press("Home")
    assert "after the cure" in page.inner_text("#tip")


def test_headers_of_the_heat_table_have_scopes(show):
    page = show("two")
    assert page.eval_on_selector_all("#en .heat th", "all => all.map(e => e.scope)") == ["col"] * 3 + ["row"] * 2


def shown_language(page):
    """Which of the languages can be seen; never two of them."""
    seen = [one for one in ("en", "zh") if page.is_visible(f"#{one} main")]
    assert len(seen) == 1
    return seen[0]


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize("name", ["overconfident", "comparison"])
def test_a_link_switches_the_language_and_the_address_keeps_it(show, name, scripts):
    page = show(name, java_script_enabled=scripts)
    assert shown_language(page) == "en"
    page.click("text=中文")
    assert shown_language(page) == "zh"
    assert page.url.endswith("#zh")
    page.reload()
    assert shown_language(page) == "zh"
    page.click("text=English")
    assert shown_language(page) == "en"


def test_the_switch_is_reached_by_keyboard_and_the_document_says_its_language(show):
    page = show("overconfident")
    assert page.evaluate("document.documentElement.lang") == "en"
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_function("document.documentElement.lang === 'zh-Hans'")
    assert shown_language(page) == "zh"
    assert page.title() == "预测的交叉熵"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "English"


@pytest.mark.parametrize("scripts", [True, False])
def test_links_within_the_page_keep_its_language(show, scripts):
    page = show("overconfident", java_script_enabled=scripts)
    page.click("text=中文")
    page.click("#zh .soft a")  # to the reliability of the cure
    assert page.url.endswith("#h-reliable-zh")
    assert shown_language(page) == "zh"


@pytest.mark.parametrize("name", REPORTS)
def test_it_fits_a_phone_in_chinese_too(show, name):
    page = show(name, viewport={"width": 360, "height": 780})
    page.click("text=中文")
    page.eval_on_selector_all("details", "all => all.forEach(e => e.open = true)")
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def test_a_page_opens_in_the_language_asked_for(browser, reports, tmp_path):
    reports["ten"].html(tmp_path / "zh.html", lang="zh")
    page = browser.new_page(java_script_enabled=False)
    page.goto((tmp_path / "zh.html").as_uri())
    assert shown_language(page) == "zh"
    assert page.title() == "预测的交叉熵"
    page.close()
