"""The playground driven by hand: dragged, typed into, moved by keys, shared by its address, in both languages."""

import math
import re
from pathlib import Path

import numpy as np
import pytest

import xent
from xent.playground.explore import PARTS, playground
from xent.report.figures import figure
from xent.texts.catalogue import CATALOGUES, LANGUAGES

MANY = "#p=0,0.3,0.7,0,0,0,0,0,0,0,0,0&q=0.1,0.9,0,0,0,0,0,0,0,0,0,0&z=1e300,-5,3,2,1,0,-1,-2,-3,-4,-5,800&T=2" \
       "&smoothing=0.1&at=1e-9&axis=log&nats=log&clip=1e-7&y=0,1&given=z-3,q0&lead=90&count=1000&names=" + "long" * 10  # fmt: skip


@pytest.fixture(scope="module")
def untouched(contexts, numbers, tmp_path_factory):
    """The numbers of a page whose address says nothing."""
    page = contexts().new_page()
    page.goto(xent.explore(tmp_path_factory.mktemp("page") / "en.html", lang="en", open_browser=False).as_uri())
    found = numbers(page)
    page.close()
    return found


def drag(page, element, share):
    """From where it is to a share of an element's width."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    y = box["y"] + box["height"] / 2
    page.mouse.move(box["x"] + 0.5 * box["width"], y)
    page.mouse.down()
    page.mouse.move(box["x"] + 0.3 * box["width"], y, steps=3)
    page.mouse.move(box["x"] + share * box["width"], y, steps=3)
    page.mouse.up()


def until(page, condition):
    """Wait for a condition; Playwright's own waiting is `eval`, which the page's policy forbids."""
    for _ in range(100):
        if page.evaluate(condition):
            return
        page.wait_for_timeout(50)
    raise AssertionError(f"{condition} did not come true")


def test_bars_are_dragged_and_the_others_make_room(show, numbers):
    page = show()
    drag(page, page.get_by_role("slider", name="P of red"), 0.7)
    p = [
        float(page.get_by_role("slider", name=f"P of {name}").get_attribute("aria-valuenow"))
        for name in ("red", "green", "blue")
    ]
    assert p[0] == 0.7
    assert math.isclose(sum(p), 1.0, abs_tol=1e-12)
    np.testing.assert_allclose(p[1] / p[2], 0.8, atol=0.01)
    q = [0.8, 0.15, 0.05]
    found = numbers(page)
    assert found["two.cross.forth"][0] == pytest.approx(float(xent.cross_entropy(p, q, base=2)), rel=1e-13)
    assert found["two.kl.back"][1] == figure(float(xent.kl_divergence(q, p, base=2)))
    box = (
        page.locator("#two-forth .bar .h").bounding_box()["width"]
        / page.locator("#two-forth .bar .kl").bounding_box()["width"]
    )
    assert box == pytest.approx(found["two.entropy.forth"][0] / found["two.kl.forth"][0], rel=0.01)
    drag(page, page.get_by_role("slider", name="P of red"), 1.4)  # beyond the end
    assert numbers(page)["two.entropy.forth"] == (0.0, "0")


def test_sliders_by_keyboard(show, numbers):
    page = show()
    slider = page.get_by_role("slider", name="P of red")
    slider.focus()
    for key, value in {"ArrowRight": "0.11", "ArrowUp": "0.12", "ArrowLeft": "0.11", "PageUp": "0.21", "Shift+ArrowDown": "0.11",
                       "End": "1", "Home": "0"}.items():  # fmt: skip
        page.keyboard.press(key)
        assert slider.get_attribute("aria-valuenow") == value
        assert slider.get_attribute("aria-valuetext") == value
    assert slider.evaluate("e => e === document.activeElement")
    logit = page.get_by_role("slider", name="Logit of tennis")
    logit.focus()
    page.keyboard.press("ArrowRight")
    z = [4.334, 3.0, 0.01]
    assert numbers(page)["logits.loss"][0] == pytest.approx(
        float(xent.softmax_cross_entropy(np.array([z]), [0])), rel=1e-13
    )
    page.get_by_role("slider", name="Lead of the label's logit").focus()
    page.keyboard.press("Home")
    assert numbers(page)["float.exact.loss"][0] == pytest.approx(math.log(3), rel=1e-15)


def test_everything_can_be_reached_by_tab(show):
    page = show()
    names = set()
    for _ in range(120):
        page.keyboard.press("Tab")
        names.add(
            page.evaluate("document.activeElement.getAttribute('aria-label') ?? document.activeElement.textContent")
        )
    assert {"P of red", "Q of blue, as a number", "Logit of football", "Temperature T", "Probability given to the truth",
            "frog is true", "Lead of the label's logit", "red, green, blue"} <= names  # fmt: skip


def test_numbers_are_typed(show, numbers):
    page = show()
    field = page.get_by_label("P of red, as a number")
    field.fill("1/2")
    assert page.inner_text("#two-off p").startswith("P sums to 1.4, not 1")
    assert field.input_value() == "1/2"
    for wrong in ("", "-0.1", "1.5", "half"):
        field.fill(wrong)
        assert field.get_attribute("aria-invalid") == "true"
    field.blur()
    assert field.input_value() == "0.5"
    assert field.get_attribute("aria-invalid") is None
    page.get_by_label("P of green, as a number").fill("0")
    assert not page.is_visible("#two-off")
    assert numbers(page)["two.entropy.forth"] == (1.0, "1.0000")
    page.get_by_label("Logit of basketball, as a number").fill("1e300")
    assert numbers(page)["logits.loss"] == (0.0, "0")
    assert numbers(page)["logits.exp.0"] == (math.inf, "∞")
    page.get_by_label("q, frog").fill("0")
    assert numbers(page)["several.sum"] == (math.inf, "∞")
    assert page.get_by_label("Logit of frog, as a number").input_value() == "−∞"
    page.get_by_label("Logit of frog, as a number").fill("-1000")
    assert numbers(page)["several.cost.1"] == (1000.0, "1,000.0000")


def test_infinity_is_drawn_and_said(show, numbers):
    page = show()
    page.click("[data-preset=impossible]")
    assert numbers(page)["two.cross.forth"] == numbers(page)["two.kl.forth"] == (math.inf, "∞")
    assert numbers(page)["two.cross.back"][0] == pytest.approx(
        float(xent.cross_entropy([0.6, 0.4, 0], [0.5, 0.3, 0.2]))
    )
    bar = page.locator("#two-forth .bar")
    assert bar.get_attribute("aria-label") == "H(P) 1.0297 + KL(P‖Q) ∞ = H(P, Q) ∞ nats"
    assert bar.evaluate("e => getComputedStyle(e, '::after').content") == '"∞"'
    whole, parts = (
        bar.bounding_box()["width"],
        [page.locator(f"#two-forth .bar .{x}").bounding_box()["width"] for x in ("h", "kl")],
    )
    assert sum(parts) == pytest.approx(whole, abs=1)
    assert "outcome C" in page.inner_text("#two .reading")
    assert "infinite" in page.inner_text("#two .reading")


def test_outcomes_and_rows_come_and_go(show, numbers):
    page = show()
    for _ in range(12):
        page.locator("#two-more").click(force=True)
    assert page.locator("#two-outcomes .outcome").count() == 12
    assert page.is_disabled("#two-more")
    assert numbers(page)["two.cross.forth"][1] == "3.2879"
    for _ in range(10):
        page.locator("#two-fewer").click(force=True)
    assert page.locator("#two-outcomes .outcome").count() == 2
    assert page.is_disabled("#two-fewer")
    assert numbers(page)["two.entropy.forth"][0] == pytest.approx(float(xent.entropy([0.2, 0.8], base=2)))
    page.click("#two-swap")
    assert numbers(page)["two.entropy.back"][0] == pytest.approx(float(xent.entropy([0.2, 0.8], base=2)))
    page.click("#two-equal")
    assert numbers(page)["two.kl.forth"] == (0.0, "0")
    page.click("#two-row-more")
    assert page.locator("#two-rows button").count() == 2
    page.click("#two-row-fewer")
    assert page.locator("#two-rows button").count() == 0
    for _ in range(12):
        page.locator("#logits-fewer").click(force=True)
    assert page.locator("#logits-lines .line").count() == 2
    for _ in range(12):
        page.locator("#several-fewer").click(force=True)
    assert page.locator("#several-lines .line").count() == 1


def test_the_label_the_temperature_and_smoothing(show, numbers):
    page = show()
    page.get_by_label("tennis is the label").check()
    page.get_by_label("Temperature T, as a number").fill("2")
    page.get_by_label("Label smoothing ε, as a number").fill("0.1")
    z = np.array([[4.334, 2.9, 0.01]]) / 2
    loss, slopes = xent.value_and_grad(xent.softmax_cross_entropy)(z, [1], label_smoothing=0.1)
    found = numbers(page)
    assert found["logits.loss"][0] == pytest.approx(float(loss), rel=1e-13)
    for j in range(3):
        p = math.exp(-float(xent.softmax_cross_entropy(z, [j])))
        assert found[f"logits.softmax.{j}"] == (pytest.approx(p, rel=1e-12), figure(p))
        assert found[f"logits.gradient.{j}"][0] == pytest.approx(slopes["logits"][0, j] / 2, rel=1e-12)
    assert page.locator("#logits-lines .arrow.up").count() == 1  # the label's logit is moved up, the others down
    before = found["logits.softmax.0"], found["logits.plain.0"]
    page.click("#logits-add")
    after = numbers(page)
    assert after["logits.softmax.0"][0] == pytest.approx(before[0][0], rel=1e-14)
    assert after["logits.plain.0"][0] != before[1][0]


def test_the_point_on_the_curve(show, numbers):
    page = show()
    plot = page.locator("#curve-plot svg >> nth=0")
    drag(page, plot, 0.25)
    assert numbers(page)["curve.nats"][0] == pytest.approx(-math.log(0.25), abs=0.02)
    handle = page.get_by_role("slider", name="Probability given to the truth")
    assert handle.evaluate("e => e === document.activeElement")
    handle_box, box = handle.bounding_box(), plot.bounding_box()
    assert handle_box["x"] + handle_box["width"] / 2 == pytest.approx(box["x"] + 0.25 * box["width"], abs=3)
    assert handle_box["y"] + handle_box["height"] / 2 == pytest.approx(
        box["y"] + (1 - numbers(page)["curve.nats"][0] / 7) * box["height"], abs=2
    )
    page.keyboard.press("Home")
    assert numbers(page)["curve.nats"] == (math.inf, "∞")
    assert page.locator("#curve-zero.here").count() == 1
    page.keyboard.press("End")
    assert numbers(page)["curve.nats"] == (0.0, "0")
    assert page.inner_text("#curve-rule .here").split() == ["0", "perfect"]
    page.locator("input[name=axis][value=log]").check()
    handle.focus()
    page.keyboard.press("ArrowLeft")
    assert numbers(page)["curve.nats"][0] == pytest.approx(math.log(10) / 10, rel=2e-3)
    page.keyboard.press("PageDown")
    assert numbers(page)["curve.nats"][0] == pytest.approx(1.1 * math.log(10), rel=2e-3)
    assert page.inner_text("#curve-rule .here").endswith("something is broken")
    page.locator("input[name=nats][value=log]").check()
    page.locator("#curve-marks button >> nth=5").click()
    assert numbers(page)["curve.bits"] == (1.0, "1.0000")


def test_the_curve_goes_through_its_marks(show):
    for fragment in ("", "#axis=log", "#nats=log", "#axis=log&nats=log"):
        page = show(fragment)
        path = page.get_attribute("#curve-plot .whole", "d")
        curve = np.array([[float(x) for x in pair.split()] for pair in path.lstrip("M").split("L")])
        marks = page.eval_on_selector_all(
            "#curve-plot circle", "all => all.map(e => [e.getAttribute('cx'), e.getAttribute('cy')].map(parseFloat))"
        )
        assert len(marks) >= 9
        for x, y in marks:
            assert abs(np.interp(x, curve[:, 0], curve[:, 1]) - y) < 0.7


BOXES = "all => all.filter(e => e.checkVisibility()).map(e => { const b = e.getBoundingClientRect(); return [e.textContent, b.left, b.top, b.right, b.bottom]; })"
LINES = """all => all.map((e) => { const r = document.createRange(); r.selectNodeContents(e);
  const tops = [...r.getClientRects()].filter((b) => b.width).map((b) => b.top).sort((a, b) => a - b);
  return [e.textContent, tops.filter((y, i) => !i || y - tops[i - 1] > 10).length]; })"""


@pytest.mark.parametrize("fragment", ["", "#axis=log", "#nats=log", "#axis=log&nats=log"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_curve_has_all_its_labels_beside_one_another(show, fragment, width):
    page = show(fragment, viewport={"width": width, "height": 900})
    labels = page.eval_on_selector_all("#curve-plot text, #curve-plot .mark:is(span)", BOXES)
    bounds = page.locator("#curve-plot text.bound").all_text_contents()
    assert [float(text) for text in bounds] == [2, 1, 0.3, 0.2, 0.05, 0.02]
    for i, (text, *a) in enumerate(labels):
        assert 0 <= a[0] < a[2] <= width
        for other, *b in labels[:i]:
            across, up = min(a[2], b[2]) - max(a[0], b[0]), min(a[3], b[3]) - max(a[1], b[1])
            assert across <= 0 or up <= 4, (text, other)
    svg, one = (page.locator(f"#curve-plot {which} >> nth=0").bounding_box() for which in ("svg", "#curve-one"))
    path = page.get_attribute("#curve-plot .whole", "d")
    for pair in path.lstrip("M").split("L"):
        x, y = (float(share) / 100 for share in pair.split())
        x, y = svg["x"] + x * svg["width"], svg["y"] + y * svg["height"]
        assert not (one["x"] + 4 < x < one["x"] + one["width"] - 4 and one["y"] + 4 < y < one["y"] + one["height"] - 4)


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [360, 1280])
def test_the_header_is_in_order(show, lang, width):
    page = show(lang=lang, viewport={"width": width, "height": 900})
    buttons = page.eval_on_selector_all("header .tools > :is(button, .switch)", BOXES)
    assert len({round((top + bottom) / 2) for _, _, top, _, bottom in buttons}) == 1  # one line
    left, right = page.eval_on_selector("h1", "e => [e.getBoundingClientRect().left, e.getBoundingClientRect().right]")
    assert buttons[0][1] == pytest.approx(left, abs=1)
    assert buttons[-1][3] == pytest.approx(right, abs=1)
    for text, start, _, end, _ in page.eval_on_selector_all("nav a", BOXES):
        assert 0 <= start < end <= width, text
    if lang == "zh":  # headings break at marks and spaces, not within a word
        for text, lines in page.eval_on_selector_all("h2 span", LINES):
            assert lines <= len(re.split(r"[，：、 ]", text)), text


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_numbers_stand_whole_and_in_line(show, lang, width):
    page = show("#z=20,-2.5,0.5&label=0&y=1,0&given=z19,z-19", lang=lang, viewport={"width": width, "height": 900})
    found = page.eval_on_selector_all(".n, .readings b, td, dd b", LINES)
    assert any("×10" in text for text, _ in found)
    assert [text for text, lines in found if lines > 1] == []
    if width == 1280:
        for line in page.query_selector_all("#logits-lines .line"):
            assert len({round(top) for _, _, top, _, _ in line.eval_on_selector_all(".cell .n", BOXES)}) == 1


SHARED = [
    "#p=0.5,0.5&q=1,0&unit=nats&names=",
    "#z=1e300,-2.5&label=1&T=0.5&smoothing=0.25&classes=one,two",
    "#at=1e-9&axis=log&clip=1e-7",
    "#y=1,0&given=q0.25,z-3&labels=%E7%8C%AB,b%26c",
    "#lead=12.5&count=10",
    "#p=0.5,0.5;1,0&q=0.5,0.5;0.9,0.1&row=1&names=",
    "#lang=zh&part=several&y=0&given=z0",
]


@pytest.mark.parametrize("fragment", SHARED)
def test_an_address_brings_back_what_was_seen(show, numbers, untouched, fragment):
    page = show(fragment)
    assert not page.is_visible("#broken")
    page.locator("#copy").click()
    assert dict(re.findall(r"(\w+)=([^&]*)", page.url.partition("#")[2])) == dict(
        re.findall(r"(\w+)=([^&]*)", fragment)
    )
    assert numbers(show(page.url[page.url.index("#") :])) == numbers(page) != untouched


def test_the_address_follows(show, numbers, untouched):
    page = show()
    page.get_by_label("Logit of basketball, as a number").fill("-7.25")
    until(page, "location.hash.includes('z=-7.25')")
    assert numbers(show(page.url[page.url.index("#") :])) == numbers(page)
    page.evaluate("location.hash = '#lead=3'")
    until(page, "document.querySelector('#float-exact-loss').dataset.value.startsWith('0.09')")
    page.click("#reset")
    assert numbers(page) == untouched
    page.click("nav a[data-part=curve]")
    assert page.url.endswith("#part=curve")
    until(page, "Math.abs(document.querySelector('#curve').getBoundingClientRect().top) < 120")


BROKEN = ["#%E0%A4%A", "#p=1,2,3&q=0,0,1", "#p=0.5,0.5", "#p=0,0,0", "#q=" + "0.1," * 40 + "1", "#z=nan,1", "#z=1", "#label=7", "#T=0",
          "#constructor=1", "#__proto__=x", "#given=x1", "#y=1,1", "#lang=fr", "#part=", "#" + "a" * 10000, "#row=3", "#at=2", "#clip=0.5",
          "#lead=-1", "#count=7", "#unit=bans", "#names=" + "x" * 41, "#=", "#&&&==", "#p=0.5,0.5;1&q=1,0;1,0"]  # fmt: skip


@pytest.mark.parametrize("fragment", BROKEN, ids=lambda fragment: fragment[:20])
def test_a_broken_address_is_said_and_harms_nothing(show, numbers, untouched, fragment):
    page = show(fragment)
    assert page.is_visible("#broken")
    assert "could not be read" in page.inner_text("#broken")
    assert numbers(page) == untouched
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_what_can_be_read_of_a_broken_address_is_read(show):
    page = show("#lead=17&p=oops")
    assert "(p)" in page.inner_text("#broken")
    assert page.get_by_label("Lead of the label's logit, as a number").input_value() == "17"


def test_names_in_an_address_are_inert(show):
    page = show("#names=<img src=x onerror=alert(1)>,<b>,c")
    assert page.inner_text("#two-outcomes .outcome >> nth=0").startswith("<img src=x onerror=alert(1)>")
    assert page.locator("img").count() == 0


@pytest.mark.parametrize("lang", LANGUAGES)
def test_the_switch_changes_every_word_without_loading(show, numbers, lang):
    other = next(one for one in LANGUAGES if one != lang)
    page = show(lang=other)
    before = numbers(page)
    page.get_by_role("button", name={"en": "English", "zh": "中文"}[lang]).click()
    assert page.get_attribute("html", "lang") == {"en": "en", "zh": "zh-Hans"}[lang]
    assert page.title() == CATALOGUES[lang]["explore.title"]
    assert numbers(page) == before
    here, there = show(lang=lang), page
    for selector in ("main", "footer"):
        assert here.inner_text(selector) == there.inner_text(selector)
    labels = "all => all.map(e => [e.getAttribute('aria-label'), e.getAttribute('aria-valuetext')])"
    assert here.eval_on_selector_all("[aria-label]", labels) == there.eval_on_selector_all("[aria-label]", labels)
    assert bool(re.search("[一-鿿]", page.inner_text("section").replace("中文", ""))) == (lang == "zh")
    assert "{" not in page.inner_text("body")


def test_no_english_is_left_in_chinese(show):
    page = show(lang="zh")
    words = set(re.findall(r"[A-Za-z]{3,}", page.inner_text("main") + page.inner_text("footer")))
    assert words <= {"English", "softmax", "logits", "logit", "exp", "log", "sigmoid", "float", "xent", "Keras", "PyTorch", "scikit",
                     "learn", "max", "NumPy"}  # fmt: skip


@pytest.mark.parametrize("lang", LANGUAGES)
@pytest.mark.parametrize("fragment", ["", MANY, "#z=1000,-3,2&T=3&axis=log&at=1e-300"], ids=["plain", "many", "tiny"])
@pytest.mark.parametrize("width", [320, 360, 768])
def test_it_fits_a_phone(show, lang, fragment, width):
    page = show(fragment, lang=lang, viewport={"width": width, "height": 780}, has_touch=True)
    assert page.evaluate("document.documentElement.scrollWidth") == width
    page.click("[data-preset=keras_rows]")
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_bars_follow_a_finger(show, numbers):
    page = show(viewport={"width": 360, "height": 780}, has_touch=True)
    bar = page.get_by_role("slider", name="Q of red")
    bar.scroll_into_view_if_needed()
    box = bar.bounding_box()
    page.touchscreen.tap(box["x"] + 0.3 * box["width"], box["y"] + 10)
    assert float(bar.get_attribute("aria-valuenow")) == pytest.approx(0.3, abs=0.01)
    assert numbers(page)["two.surprisal.q.0"][0] == pytest.approx(-math.log2(0.3), abs=0.05)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_screen_readers_are_told_what_everything_is(show, lang):
    page = show(MANY, lang=lang)
    for slider in page.get_by_role("slider").all():
        assert slider.get_attribute("aria-label")
        low, now, high = (float(slider.get_attribute(f"aria-value{x}")) for x in ("min", "now", "max"))
        assert low <= now <= high
        assert slider.get_attribute("aria-valuetext")
    unnamed = page.eval_on_selector_all(
        "input, button, svg:not([aria-hidden] *, svg svg)",
        """all => all.filter((e) =>
        e.ariaHidden !== "true" && !e.getAttribute("aria-label") && !e.textContent.trim() && !e.labels?.[0]?.textContent.trim()).map(e => e.outerHTML)""",
    )
    assert unnamed == []
    assert len(page.get_by_role("slider").all()) == 24 + 12 + 2 + 1 + 2 + 1
    assert page.locator("h1").count() == 1
    assert page.locator("h2").count() == len(PARTS)


def test_what_changes_is_announced_once_it_rests(show):
    page = show()
    page.get_by_role("slider", name="Lead of the label's logit").focus()
    for _ in range(5):
        page.keyboard.press("ArrowLeft")
    until(page, "document.querySelector('#status').textContent.length > 0")
    assert page.inner_text("#status") == page.inner_text("#float .reading")


def luminance(rgb):
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in (part / 255.0 for part in rgb)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read(show, scheme):
    page = show(color_scheme=scheme)
    page.click("[data-preset=keras_rows]")
    found = page.evaluate("""() => {
      const pixel = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
      const rgb = (colour) => { pixel.clearRect(0, 0, 1, 1); pixel.fillStyle = colour; pixel.fillRect(0, 0, 1, 1); return [...pixel.getImageData(0, 0, 1, 1).data]; };
      const ground = (e) => { for (; e; e = e.parentElement) { const c = rgb(getComputedStyle(e).backgroundColor); if (c[3] === 255) return c; } };
      const texts = [...document.querySelectorAll("main *, footer *")].filter((e) => !(e instanceof SVGElement) && !e.disabled && e.checkVisibility()
        && [...e.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim()));
      return texts.map((e) => [e.textContent.trim().slice(0, 30), rgb(getComputedStyle(e).color).slice(0, 3), ground(e).slice(0, 3)]);
    }""")
    assert len(found) > 100
    grounds = {sum(ground) for _, _, ground in found}
    assert (max(grounds) > 600) if scheme == "light" else (min(grounds) < 150)
    for text, ink, ground in found:
        dark, light = sorted(map(luminance, (ink, ground)))
        assert (light + 0.05) / (dark + 0.05) >= 4.5, text  # WCAG 2.2, AA


def test_it_is_small_and_asks_for_nothing():
    for lang in LANGUAGES:
        page = playground(lang)
        assert len(page.encode()) < 300_000
        assert not re.search(r"https?://|url\(|@import|\bfetch\(|XMLHttpRequest|localStorage|cookie", page)
        assert page.count("<script") == 2


def test_without_scripts_it_says_so(show):
    page = show(java_script_enabled=False)
    assert page.is_visible("noscript p")
    assert "JavaScript" in page.inner_text("noscript p")


def test_what_is_not_taken_is_said(show):
    page = show()
    given = page.locator("#two-outcomes input").first
    for typed in ("abc", "50%", "2"):
        given.fill(typed)
        assert given.get_attribute("aria-invalid") == "true"
        given.press("Enter")
        alert = page.locator("#two .wrong")
        assert alert.is_visible()
        assert alert.get_attribute("role") == "alert"
        assert alert.inner_text() == (f"“{typed}” is not taken: a probability is a number from 0 to 1, such as 0.5 or 1/3. "
                                      "The value stays 0.1.")  # fmt: skip
        assert given.input_value() == "0.1"
    given.fill("0.2")
    assert not page.is_visible("#two .wrong")


def test_ten_rows_are_rows_counted_from_0_and_their_mean_is_the_loss(show):
    page = show()
    page.click("[data-preset=ten_examples]")
    names = page.locator("#several-lines .name b").all_inner_texts()
    assert names == [f"row {i}" for i in range(10)]
    assert page.locator("#several .tiles .main").inner_text().startswith("0.2469")
    page.click("[data-lang=zh]")
    assert page.locator("#several-lines .name b").first.inner_text() == "第 0 行"
    page.click("[data-preset=cat_frog_mouse]")
    assert page.locator("#several .tiles .main").inner_text().startswith("0.6852")


def test_surprisals_and_the_rule_of_thumb_are_named_for_screen_readers(show):
    page = show("#part=curve")
    cost = page.locator("#two-outcomes span.n").first
    assert cost.get_attribute("aria-label") == "Surprisal, P of red: 3.3219 bits"
    assert page.locator("#curve-rule [aria-current=true]").count() == 1


def test_the_tutorials_last_page_links_to_its_ten_rows(show):
    conf = (Path(__file__).parents[2] / "docs" / "conf.py").read_text(encoding="utf-8")
    link = eval(re.search(r"TEN_ROWS = (\(.*?\n\))", conf, re.DOTALL)[1])
    page = show(f"#{link}")
    assert not page.is_visible("#broken")
    assert page.inner_text("#several-mean") == "0.2469"
    assert page.locator("#several-lines .name b").all_inner_texts()[9] == "row 9"
