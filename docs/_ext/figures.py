"""The figures of the tutorial and the picture of the house, drawn from what xent computes, in English and Chinese."""

import math
import tomllib
from pathlib import Path

import numpy as np
from svg import Drawing

import xent

__all__ = ["pictures"]

LOGITS = {"basketball": 4.334, "tennis": 2.90, "football": 0.01}
COMPUTER = [0.7, 0.2, 0.1]
P, Q = [0.10, 0.40, 0.50], [0.80, 0.15, 0.05]
TEN = [1, 1, 1, 1, 1, 0, 0, 0, 0, 0], [0.8, 0.9, 0.9, 0.6, 0.8, 0.1, 0.4, 0.2, 0.1, 0.3]
CHINESE = {
    "surprisal −log p, nats": "信息量 −log p（奈特）",
    "probability p": "概率 p",
    "rare: much information": "罕见：信息量大",
    "certain: none": "必然：信息量为零",
    "width: how often": "宽度：发生的频率",
    "height: surprisal, nats": "高度：信息量（奈特）",
    "the whole area is the entropy: {} nats": "总面积就是熵：{} 奈特",
    "works": "正常",
    "slow": "变慢",
    "broken": "损坏",
    "red": "红",
    "green": "绿",
    "blue": "蓝",
    "bits": "比特",
    "filled: −log₂ Q, the cost when Q was expected": "色块：−log₂ Q，以 Q 为预期时的代价",
    "dashed: −log₂ P, the least there can be": "虚线：−log₂ P，能做到的最低代价",
    "area filled: cross-entropy {} bits": "色块面积：交叉熵 {} 比特",
    "area under the dashes: entropy {} bits": "虚线下面积：熵 {} 比特",
    "basketball": "篮球",
    "tennis": "网球",
    "football": "足球",
    "logits": "logits",
    "exp: positive": "取指数：变为正数",
    "divided by the sum: softmax": "除以总和：softmax",
    "loss of one label, nats": "单个样本的损失（奈特）",
    "as if the truth had always been given probability": "相当于每次都给真实结果的概率",
    "perfect": "完美",
    "mean {}": "平均 {}",
    "a coin {}": "抛硬币 {}",
    "each of the ten examples": "十个样本各自的损失",
    "better": "更好",
    "worse": "更差",
}


def pictures(docs: Path) -> dict[Path, str]:
    """Each picture's place and text."""
    drawn = {docs / "explanation" / "house" / "figures" / "house.svg": house(docs.parent / "pyproject.toml")}
    for folder, words in ((docs / "tutorial", {}), (docs / "zh" / "tutorial", CHINESE)):
        for draw in (surprisal, entropy, cross_entropy, softmax, reading):
            drawn[folder / "figures" / f"{draw.__name__}.svg"] = draw(Words(words)).svg()
    return drawn


class Words:
    """English, or its translation."""

    def __init__(self, translations: dict[str, str]) -> None:
        self.translations = translations

    def __call__(self, english: str, *values: str) -> str:
        """The text with its values."""
        return self.translations.get(english, english).format(*values)


def surprisal(words: Words) -> Drawing:
    """−log p against p."""
    d = Drawing(640, 320, words("surprisal −log p, nats"))
    left, top, width, height, most = 60.0, 40.0, 550.0, 230.0, 5.0

    def at(p: float) -> tuple[float, float]:
        return left + width * p, top + height * (1 - float(xent.surprisal(p)) / most)

    for nats in range(6):
        y = top + height * (1 - nats / most)
        d.line([(left, y), (left + width, y)], "line")
        d.text(left - 8, y + 4, str(nats), "small", "end")
    for tenth in range(0, 11, 2):
        d.text(left + width * tenth / 10, top + height + 20, f"{tenth / 10:g}", "small", "middle")
    d.line([at(p) for p in np.geomspace(math.exp(-most), 1.0, 120)], "one thick")
    for p in (0.01, 0.1, 0.5, 0.8):
        x, y = at(p)
        d.dot(x, y, "one")
        label = f"p = {p:g}: {float(xent.surprisal(p)):.2f}"
        d.text(x + 10, y - 10, label, "bold")
    x, y = at(0.01)
    d.text(x + 130, y - 10, words("rare: much information"), "small")
    d.dot(*at(1.0), "one")
    d.text(left + width + 4, top + height - 60, words("certain: none"), "small", "end")
    d.line([(left + width, top + height - 54), (left + width, top + height - 8)], "axis")
    d.text(left - 40, 18, words("surprisal −log p, nats"))
    d.text(left + width, top + height + 42, words("probability p"), "", "end")
    return d


def entropy(words: Words) -> Drawing:
    """Areas: probability × surprisal."""
    total = f"{float(xent.entropy(COMPUTER)):.4f}"
    d = Drawing(640, 330, words("the whole area is the entropy: {} nats", total))
    costs = xent.surprisal(COMPUTER).tolist()
    names = [words(name) for name in ("works", "slow", "broken")]
    _mosaic(d, COMPUTER, costs, names, 2.5)
    d.text(20, 20, words("height: surprisal, nats"))
    d.text(610, 322, words("width: how often"), "", "end")
    d.text(70, 72, words("the whole area is the entropy: {} nats", total), "bold")
    return d


def cross_entropy(words: Words) -> Drawing:
    """Areas again: widths are what happens, heights what was expected."""
    d = Drawing(640, 360, words("filled: −log₂ Q, the cost when Q was expected"))
    costs = xent.surprisal(Q, base=2).tolist()
    names = [words(name) for name in ("red", "green", "blue")]
    _mosaic(d, P, costs, names, 5.0)
    x = 60.0
    points = []
    for p, cost in zip(P, xent.surprisal(P, base=2).tolist(), strict=True):
        y = 280.0 - 240.0 * cost / 5.0
        points += [(x, y), (x + 550.0 * p, y)]
        x += 550.0 * p
    d.line(points, "two thick dashed")
    crossing, least = float(xent.cross_entropy(P, Q, base=2)), float(xent.entropy(P, base=2))
    d.text(20, 20, words("bits"))
    d.text(62, 20, words("filled: −log₂ Q, the cost when Q was expected"), "one")
    d.text(372, 20, words("dashed: −log₂ P, the least there can be"), "two")
    d.text(60, 326, words("area filled: cross-entropy {} bits", f"{crossing:.3f}"), "bold one")
    d.text(60, 348, words("area under the dashes: entropy {} bits", f"{least:.3f}"), "bold two")
    d.text(610, 326, words("width: how often"), "", "end")
    return d


def _mosaic(d: Drawing, widths: list[float], heights: list[float], names: list[str], most: float) -> None:
    left, base, width, height = 60.0, 280.0, 550.0, 240.0
    for tick in range(int(most) + 1):
        y = base - height * tick / most
        d.line([(left, y), (left + width, y)], "line")
        d.text(left - 8, y + 4, str(tick), "small", "end")
    x = left
    for share, cost, name in zip(widths, heights, names, strict=True):
        d.box(x + 1, base - height * cost / most, width * share - 2, height * cost / most, "one area")
        middle = x + width * share / 2
        d.text(middle, base - height * cost / most - 8, f"{cost:.2f}", "bold", "middle")
        d.text(middle, base + 18, f"{name} {share:g}", "small", "middle")
        if height * cost / most > 30:
            whole = f"{share:g} × {cost:.2f} = {share * cost:.3f}"
            inside = whole if len(whole) * 6.5 < width * share else f"{share * cost:.3f}"
            d.text(middle, base - height * cost / most + 24, inside, "", "middle")
        x += width * share


def softmax(words: Words) -> Drawing:
    """Scores, their exponentials, and these as shares."""
    z = np.array(list(LOGITS.values()))
    # softmax as the loss of each class has it: exp of minus the loss
    p = [math.exp(-float(xent.softmax_cross_entropy(z[None], [j]))) for j in range(3)]
    d = Drawing(640, 230, words("divided by the sum: softmax"))
    panels = [("logits", z.tolist(), 5.0, ".3f"), ("exp: positive", np.exp(z).tolist(), 90.0, ".2f")]
    panels.append(("divided by the sum: softmax", p, 1.0, ".4f"))
    for i, (name, values, most, style) in enumerate(panels):
        left = 20.0 + 210.0 * i
        d.text(left, 22, words(name), "bold")
        for j, (label, value) in enumerate(zip(LOGITS, values, strict=True)):
            y = 48.0 + 60.0 * j
            d.text(left, y, words(label), "small")
            d.box(left, y + 8, max(1.5, 130.0 * value / most), 18, ("one", "two", "three")[j])
            d.text(left + max(1.5, 130.0 * value / most) + 6, y + 22, f"{value:{style}}")
    return d


def reading(words: Words) -> Drawing:
    """The ten examples on one line, in nats above and as probabilities below."""
    losses = xent.surprisal([p if y else 1 - p for y, p in zip(*TEN, strict=True)])
    mean, coin = float(losses.mean()), float(xent.surprisal(0.5))
    d = Drawing(640, 300, words("loss of one label, nats"))
    left, width, most, y = 40.0, 560.0, 0.8, 165.0

    def at(nats: float) -> float:
        return left + width * nats / most

    d.text(left, 22, words("loss of one label, nats"))
    d.text(left, 46, words("each of the ten examples"), "small one")
    seen: dict[float, int] = {}
    for loss in losses.tolist():
        at_height = seen[round(loss, 6)] = seen.get(round(loss, 6), 0) + 1
        d.dot(at(loss), y - 2 - 13 * at_height, "one")
    d.line([(left, y), (left + width, y)], "axis")
    for tenth in range(0, 9, 1):
        d.line([(at(tenth / 10), y), (at(tenth / 10), y + 5)], "axis")
        d.text(at(tenth / 10), y + 20, f"{tenth / 10:g}", "small", "middle")
    for value, name, style in ((mean, "mean {}", "two"), (coin, "a coin {}", "three")):
        d.line([(at(value), 62), (at(value), y + 60)], f"{style} thick dashed")
        d.text(at(value) + 6, 72, words(name, f"{value:.3f}"), f"bold {style}")
    for p in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5):
        d.line([(at(-math.log(p)), y + 40), (at(-math.log(p)), y + 46)], "axis")
        d.text(at(-math.log(p)), y + 62, f"{p:g}", "small", "middle")
    d.line([(left, y + 40), (left + width, y + 40)], "axis")
    d.text(left, y + 88, words("as if the truth had always been given probability"))
    d.text(left, y + 116, f"← {words('better')}", "small")
    d.text(left + width, y + 116, f"{words('worse')} →", "small", "end")
    return d


SAID = {
    "cli": "the command `xent`: parse, call one function, print",
    "commands": "score, check, compare, merge, recalibrate, explain …",
    "doctor": "what is wrong",
    "explaining": "step by step",
    "playground": "a page to try it on",
    "torch": "PyTorch's names",
    "keras": "Keras's names",
    "sklearn": "scikit-learn's names",
    "spark": "Spark's DataFrames",
    "losses": "softmax, sigmoid, linear: check, choose, apply",
    "scoring": "predictions → nats → exact sums → report",
    "report": "text, page, JSON",
    "sources": "files → batches",
    "engines": "where work is done",
    "information": "distributions",
    "gaussian": "Gaussians",
    "checks": "every question asked of inputs; the only place that refuses values",
    "autodiff": "the kernels as differentiable functions of NumPy, PyTorch and JAX arrays",
    "kernels": "raw arrays in, raw arrays out",
    "formulas": "every formula, once",
    "_arrays": "arrays of any library",
    "units": "nats and bits",
    "texts": "what is said, en and zh",
    "errors": "what xent raises",
    "version": "",
}


def house(pyproject: Path) -> str:
    """The layers as the import contract has them, the upper ones resting on the lower."""
    contract = tomllib.loads(pyproject.read_text(encoding="utf-8"))["tool"]["importlinter"]["contracts"][0]
    floors = [[name.strip().removeprefix("xent.") for name in floor.split("|")] for floor in contract["layers"]]
    step, width = 56, 700
    d = Drawing(width, 40 + step * len(floors) + 16, "The layers of xent, each importing only from those below")
    d.line([(10, 40), (width / 2, 8), (width - 10, 40)], "axis")
    for i, floor in enumerate(floors):
        y, room = 44.0 + step * i, (width - 20.0) / len(floor)
        for j, name in enumerate(floor):
            x = 10 + room * j
            d.box(x + 2, y, room - 4, step - 6, "one area")
            d.text(x + room / 2, y + 21, name, "bold", "middle")
            said = SAID.get(name, "")
            if said and len(said) * 6.4 < room:
                d.text(x + room / 2, y + 39, said.replace("`", ""), "small", "middle")
    d.line([(4, 44 + step * len(floors)), (width - 4, 44 + step * len(floors))], "axis")
    return d.svg()
