"""The figures of the tutorial, drawn from what xent computes, in English and Chinese, for wide screens and for phones."""

import math
from pathlib import Path

import numpy as np
from house import house
from svg import Drawing, length

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
    "mean {}": "平均 {}",
    "a coin {}": "抛硬币 {}",
    "each of the ten examples": "十个样本各自的损失",
    "better": "更好",
    "worse": "更差",
}


def pictures(docs: Path, narrow: bool = False) -> dict[Path, str]:
    """Each picture's place and text; those for phones are shown in the same place, and are not kept in files."""
    drawn = {docs / "explanation" / "house" / "figures" / "house.svg": house(docs.parent / "pyproject.toml", narrow)}
    for folder, words in ((docs / "tutorial", {}), (docs / "zh" / "tutorial", CHINESE)):
        for draw in (surprisal, entropy, cross_entropy, softmax, reading):
            drawn[folder / "figures" / f"{draw.__name__}.svg"] = draw(Words(words), narrow).svg()
    return drawn


class Words:
    """English, or its translation."""

    def __init__(self, translations: dict[str, str]) -> None:
        self.translations = translations

    def __call__(self, english: str, *values: str) -> str:
        """The text with its values."""
        return self.translations.get(english, english).format(*values)


def surprisal(words: Words, narrow: bool) -> Drawing:
    """−log p against p."""
    d = Drawing(340 if narrow else 640, 390 if narrow else 320, words("surprisal −log p, nats"))
    left, top, width, height, most = (28.0, 40.0, 300.0, 300.0, 5.0) if narrow else (60.0, 40.0, 550.0, 230.0, 5.0)

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
        beside = left + width - 6 - length(label, bold=True)  # what does not fit there stands higher
        d.text(min(x + 10, beside), y - (10 if x + 10 <= beside else 22), label, "bold")
    x, y = at(0.01)
    d.text(x + 10, y + 8, words("rare: much information"), "small")
    d.dot(*at(1.0), "one")
    d.text(left + width, top + height - 82, words("certain: none"), "small", "end")
    d.line([(left + width, top + height - 76), (left + width, top + height - 8)], "axis")
    d.text(left - 8 if narrow else left - 40, 18, words("surprisal −log p, nats"))
    d.text(left + width, top + height + 42, words("probability p"), "", "end")
    return d


def entropy(words: Words, narrow: bool) -> Drawing:
    """Areas: probability × surprisal."""
    total = f"{float(xent.entropy(COMPUTER)):.4f}"
    whole = words("the whole area is the entropy: {} nats", total)
    d = Drawing(340 if narrow else 640, 366 if narrow else 330, whole)
    costs = xent.surprisal(COMPUTER).tolist()
    names = [words(name) for name in ("works", "slow", "broken")]
    left, width = _mosaic(d, COMPUTER, costs, names, 2.5)
    d.text(left - 16 if narrow else 20, 20, words("height: surprisal, nats"))
    d.text(left + width, 340 if narrow else 322, words("width: how often"), "", "end")
    d.lines(left + 10, 60, whole, 0.68 * width, "bold")
    return d


def cross_entropy(words: Words, narrow: bool) -> Drawing:
    """Areas again: widths are what happens, heights what was expected."""
    d = Drawing(340 if narrow else 640, 490 if narrow else 380, words("filled: −log₂ Q, the cost when Q was expected"))
    costs = xent.surprisal(Q, base=2).tolist()
    names = [words(name) for name in ("red", "green", "blue")]
    below = 66.0 if narrow else 20.0  # room for the legend
    left, width = _mosaic(d, P, costs, names, 5.0, below)
    x = left
    points = []
    for p, cost in zip(P, xent.surprisal(P, base=2).tolist(), strict=True):
        y = below + 280.0 - 240.0 * cost / 5.0
        points += [(x, y), (x + width * p, y)]
        x += width * p
    d.line(points, "two thick dashed")
    crossing, least = float(xent.cross_entropy(P, Q, base=2)), float(xent.entropy(P, base=2))
    filled, dashed = (
        words("filled: −log₂ Q, the cost when Q was expected"),
        words("dashed: −log₂ P, the least there can be"),
    )
    d.lines(left, d.lines(left, 16, filled, width, "one"), dashed, width, "two")
    d.text(left - 16 if narrow else 20, below + 20, words("bits"))
    below_axis = below + (360 if narrow else 326)
    y = d.lines(left, below_axis, words("area filled: cross-entropy {} bits", f"{crossing:.3f}"), width, "bold one")
    d.lines(left, y + 3, words("area under the dashes: entropy {} bits", f"{least:.3f}"), width, "bold two")
    d.text(left + width, below + (336 if narrow else 326), words("width: how often"), "", "end")
    return d


def _mosaic(
    d: Drawing, widths: list[float], heights: list[float], names: list[str], most: float, below: float = 0.0
) -> tuple[float, float]:
    """Boxes side by side, lower by `below`; where they begin and how wide they are."""
    narrow = d.size[0] < 400
    left, base, width, height = (24.0, below + 280.0, 308.0, 240.0) if narrow else (60.0, below + 280.0, 550.0, 240.0)
    for tick in range(int(most) + 1):
        y = base - height * tick / most
        d.line([(left, y), (left + width, y)], "line")
        d.text(left - 8, y + 4, str(tick), "small", "end")
    x = left
    for share, cost, name in zip(widths, heights, names, strict=True):
        tall, broad = height * cost / most, width * share
        d.box(x + 1, base - tall, broad - 2, tall, "one area")
        middle = x + broad / 2
        d.text(middle, base - tall - 8, f"{cost:.2f}", "bold", "middle")
        d.lines(middle, base + 18, f"{name} {share:g}", 1.0 if narrow else width, "small", "middle")
        if tall > 30:
            whole = f"{share:g} × {cost:.2f} = {share * cost:.3f}"
            inside = whole if length(whole) < broad else f"{share * cost:.3f}"
            turned = length(inside) > broad
            d.text(middle + (5 if turned else 0), base - tall + (50 if turned else 24), inside, "", "middle", turned)
        x += broad
    return left, width


def softmax(words: Words, narrow: bool) -> Drawing:
    """Scores, their exponentials, and these as shares: side by side, or one below the other."""
    z = np.array(list(LOGITS.values()))
    # softmax as the loss of each class has it: exp of minus the loss
    p = [math.exp(-float(xent.softmax_cross_entropy(z[None], [j]))) for j in range(3)]
    d = Drawing(340 if narrow else 640, 366 if narrow else 240, words("divided by the sum: softmax"))
    panels = [("logits", z.tolist(), 5.0, ".3f"), ("exp: positive", np.exp(z).tolist(), 90.0, ".2f")]
    panels.append(("divided by the sum: softmax", p, 1.0, ".4f"))
    for i, (name, values, most, style) in enumerate(panels):
        left, top = (10.0, 22.0 + 122.0 * i) if narrow else (20.0 + 210.0 * i, 22.0)
        d.lines(left, top, words(name), 320.0 if narrow else 190.0, "bold")
        for j, (label, value) in enumerate(zip(LOGITS, values, strict=True)):
            x, y = (left + 84.0, top + 10.0 + 28.0 * j) if narrow else (left, top + 42.0 + 60.0 * j)
            long = max(1.5, (160.0 if narrow else 130.0) * value / most)
            d.text(left, y + 14 if narrow else y, words(label), "small")
            d.box(x, y if narrow else y + 8, long, 18, ("one", "two", "three")[j])
            d.text(x + long + 6, y + (14 if narrow else 22), f"{value:{style}}")
    return d


def reading(words: Words, narrow: bool) -> Drawing:
    """The ten examples on one line, in nats above and as probabilities below."""
    losses = xent.surprisal([p if y else 1 - p for y, p in zip(*TEN, strict=True)])
    mean, coin = float(losses.mean()), float(xent.surprisal(0.5))
    d = Drawing(340 if narrow else 640, 300, words("loss of one label, nats"))
    left, width, most, y = (16.0, 306.0, 0.8, 165.0) if narrow else (40.0, 560.0, 0.8, 165.0)

    def at(nats: float) -> float:
        return left + width * nats / most

    d.text(left, 22, words("loss of one label, nats"))
    d.text(left, 44, words("each of the ten examples"), "small one")
    seen: dict[float, int] = {}
    for loss in losses.tolist():
        at_height = seen[round(loss, 6)] = seen.get(round(loss, 6), 0) + 1
        d.dot(at(loss), y - 2 - 13 * at_height, "one")
    for value, name, style in ((mean, "mean {}", "two"), (coin, "a coin {}", "three")):
        d.line([(at(value), 62), (at(value), y)], f"{style} thick dashed")
        label = words(name, f"{value:.3f}")
        beyond = at(value) + 6 + length(label, bold=True) > left + width
        d.text(
            at(value) + (-6 if beyond else 6),
            96 if beyond else 72,
            label,
            f"bold {style}",
            "end" if beyond else "start",
        )
    for tenth in range(0, 9, 1):
        d.line([(at(tenth / 10), y), (at(tenth / 10), y + 5)], "axis")
        d.text(at(tenth / 10), y + 20, f"{tenth / 10:g}", "small", "middle")
    for p in (1.0, 0.9, 0.8, 0.7, 0.6, 0.5):
        d.line([(at(-math.log(p)), y + 46), (at(-math.log(p)), y + 51)], "axis")
        d.text(at(-math.log(p)), y + 66, f"{p:g}", "small", "middle")
    for height in (y, y + 46):
        d.line([(left, height), (left + width, height)], "axis")
    for value, style in ((mean, "two"), (coin, "three")):  # where the lines would meet the lower scale
        d.dot(at(value), y + 46, style)
    below = d.lines(left, y + 90, words("as if the truth had always been given probability"), width + 10)
    d.text(left, below + 8, f"← {words('better')}", "small")
    d.text(left + width, below + 8, f"{words('worse')} →", "small", "end")
    return d
