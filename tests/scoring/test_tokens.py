"""The cost per token, word, character and byte: against the harness's formulas, by hand, and in simulation."""

import argparse
import json
import math
import re
from fractions import Fraction
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from xent.commands import tokens as command
from xent.errors import OptionError, ProbabilityError, ShapeError, SourceError, StateError
from xent.scoring.compare_tokens import compare_sums, compare_tokens
from xent.scoring.means import mean_of
from xent.scoring.per_unit import exponential, moments, ratio
from xent.scoring.token_costs import sum_tokens
from xent.scoring.token_summary import summarise_tokens
from xent.scoring.token_sums import TokenSums
from xent.scoring.tokens import open_tokens, score_tokens

DATA = Path(__file__).parents[1] / "data" / "token_logs"
WIKITEXT = DATA / "samples_wikitext_2025-03-04T10-11-12.131415.jsonl"
ONE = 1 << 1074


def unit(report, name):
    return next(one for one in report.units if one.unit == name)


def table(log_probabilities, **columns):
    return {"lp": np.array(log_probabilities, float)} | {name: np.array(value) for name, value in columns.items()}


def stories(seed=0, documents=30, rows=400):
    random = np.random.default_rng(seed)
    doc = random.integers(0, documents, rows)
    size = random.integers(1, 9, rows)
    lp = -random.exponential(size * (0.5 + 0.03 * doc))
    return table(lp, n=size, doc=np.array([f"d{i}" for i in doc]))


COLUMNS = {"log_probability": "lp", "byte_count": "n", "document": "doc"}


def test_the_harness_formulas_give_the_same_on_its_samples():
    def weighted_mean(items):
        a, b = zip(*items, strict=True)
        return sum(a) / sum(b)

    samples = [json.loads(line) for line in WIKITEXT.read_text(encoding="utf-8").splitlines()]
    pages = [(float(one["resps"][0][0]), one["doc"]["page"]) for one in samples]
    report = score_tokens(WIKITEXT)
    of_words = [(value, len(re.split(r"\s+", page))) for value, page in pages]
    of_bytes = [(value, len(page.encode("utf-8"))) for value, page in pages]
    assert unit(report, "word").perplexity == pytest.approx(math.exp(-weighted_mean(of_words)), rel=1e-13)
    assert unit(report, "byte").perplexity == pytest.approx(math.exp(-weighted_mean(of_bytes)), rel=1e-13)
    assert report.bits_per_byte == pytest.approx(-weighted_mean(of_bytes) / math.log(2), rel=1e-13)
    assert (report.documents, report.rows) == (3, 3)
    assert [one.unit for one in report.units] == ["word", "character", "byte"]


def linearised(y, x):
    """Ratio, and its error from the residuals, in plain float64."""
    r = y.sum() / x.sum()
    error = math.sqrt(len(y) / (len(y) - 1) * ((y - r * x) ** 2).sum()) / x.sum()
    reach = stats.t.ppf(0.975, len(y) - 1) * error
    return r, error, max(0.0, r - reach), r + reach


def test_intervals_are_those_of_the_ratio_estimator_over_documents():
    data = stories()
    names = np.unique(data["doc"])
    y = np.array([-data["lp"][data["doc"] == name].sum() for name in names])
    for name, size in (("byte", data["n"]), ("token", np.ones(len(data["n"])))):
        x = np.array([size[data["doc"] == one].sum() for one in names])
        found = unit(score_tokens(data, **COLUMNS), name)
        r, error, *_ = linearised(y, x)
        assert (found.nats, found.standard_error) == pytest.approx((r, error), rel=1e-9)
        low, high = found.interval
        assert found.interval == pytest.approx(mean_of(y / x, x).interval, rel=1e-9)  # few documents: the bootstrap
        assert found.bits == pytest.approx(r / math.log(2), rel=1e-12)
        assert found.bits_interval == pytest.approx((low / math.log(2), high / math.log(2)), rel=1e-9)
        assert found.perplexity_interval == pytest.approx((math.exp(low), math.exp(high)), rel=1e-9)


def test_without_documents_each_row_is_drawn_by_itself():
    data = stories(1)
    report = score_tokens(data, log_probability="lp", byte_count="n")
    for name, x in (("byte", data["n"].astype(float)), ("token", np.ones(len(data["n"])))):
        r, error, low, high = linearised(-data["lp"], x)
        found = unit(report, name)
        assert (found.nats, found.standard_error, *found.interval) == pytest.approx((r, error, low, high), rel=1e-9)
    assert report.documents is None
    assert any("too narrow for running text" in text for text in report.warnings)


def test_sums_are_exact():
    values = [-1e-300, -1.0, -1e16, -3.0, -1e-5, -0.1]
    report = score_tokens(table(values, doc=list("abcabc")), log_probability="lp", document="doc")
    whole = sum(Fraction(-value) for value in values)
    assert report.nats == float(whole)
    assert unit(report, "token").nats == float(whole / 6)


def test_equal_costs_have_an_error_of_exactly_nothing():
    report = score_tokens(table([-0.1] * 12, doc=list("abcabcabcabc")), log_probability="lp", document="doc")
    assert unit(report, "token").standard_error == 0.0


def test_a_single_document_has_no_interval():
    report = score_tokens(table([-1.0, -2.0], doc=["a", "a"]), log_probability="lp", document="doc")
    assert unit(report, "token").interval is None
    assert report.warnings == ("there is one document, so there is no interval: how documents differ cannot be seen.",)


PARTS = st.lists(
    st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "c", "d"]),
            st.floats(-1e6, 0.0) | st.just(-math.inf) | st.just(-9999.0),
            st.integers(0, 9),
        ),
        min_size=1,
        max_size=5,
    ),
    min_size=1,
    max_size=6,
)


def sums_of(rows, documents=True):
    names, values, sizes = zip(*rows, strict=True)
    data = table(values, n=sizes, doc=names)
    columns = COLUMNS if documents else COLUMNS | {"document": None}
    return sum_tokens(open_tokens(data, **columns).batches, top=3)


def bare(sums):
    """Without the numbers of the worst rows, which are those within a part."""
    return TokenSums(sums.documents, sums.rest, sums.loose, sums.left_out, (), sums.top)


@given(PARTS, st.randoms(use_true_random=False), st.booleans())
def test_any_split_in_any_order_gives_the_same_bits(parts, random, documents):
    whole = sums_of([row for part in parts for row in part], documents)
    random.shuffle(parts)
    for part in parts:
        random.shuffle(part)
    added = TokenSums.gather(sums_of(part, documents) for part in parts)
    assert bare(added) == bare(whole)
    assert [row[0] for row in added.worst] == [row[0] for row in whole.worst]
    one_by_one = sum((sums_of(part, documents) for part in parts), TokenSums())
    assert one_by_one == added
    assert TokenSums.from_dict(json.loads(json.dumps(whole.to_dict()))) == whole
    if any(size for part in parts for _, value, size in part):
        assert summarise_tokens(bare(added)) == summarise_tokens(bare(whole))


@pytest.mark.parametrize("damage", [lambda d: d.pop("rest"), lambda d: d.update(rest=[1]), lambda d: d.update(top="x")])
def test_damaged_sums_are_refused(damage):
    data = sums_of([("a", -1.0, 2)]).to_dict()
    damage(data)
    with pytest.raises(StateError, match="damaged or of another version"):
        TokenSums.from_dict(data)


def simulated(random, clusters):
    """Documents of unequal length whose bytes cost a rate of their own: (nats, bytes) each; the true mean is 1."""
    size = random.integers(50, 400, clusters)
    rate = random.gamma(9.0, 1.0 / 9.0, clusters)
    return [(int(y * 2**40) << 1034, int(x)) for y, x in zip(random.gamma(size * rate), size, strict=True)]


def test_the_interval_covers_as_often_as_it_says():
    random = np.random.default_rng(5)
    runs = 1500
    hits = sum(
        low <= 1.0 <= high for low, high in (ratio(moments(simulated(random, 60))).interval for _ in range(runs))
    )
    assert 0.93 < hits / runs < 0.97


def test_the_interval_of_a_difference_covers_as_often_as_it_says():
    random = np.random.default_rng(6)
    runs, hits, small = 600, 0, 0
    for _ in range(runs):
        size, rate = random.integers(50, 400, 40), random.gamma(9.0, 1.0 / 9.0, 40)
        costs = [random.gamma(size * rate * effect) for effect in (1.0, 1.25)]
        both = [sums_of([(str(i), -y, n) for i, (y, n) in enumerate(zip(cost, size, strict=True))]) for cost in costs]
        found = compare_sums(*both, ("a", "b"))
        hits += found.interval[0] <= -0.25 / math.log(2) <= found.interval[1]
        small += found.p_value < 0.05
    assert 0.93 < hits / runs < 0.97
    assert small > 0.9 * runs


def test_words_characters_and_bytes_are_counted_in_the_text():
    text = "The naïve café — is it? Yes."
    tokens = re.findall(r"\s?\w{1,3}|\W", text)
    assert "".join(tokens) == text
    report = score_tokens(table([-1.0] * len(tokens), token=tokens), log_probability="lp", text="token")
    assert {one.unit: one.count for one in report.units} == {
        "token": len(tokens),
        "word": len(text.split()),
        "character": len(text),
        "byte": len(text.encode()),
    }


def test_tokens_and_documents_of_a_csv_file_are_the_text_that_is_there(tmp_path):
    path = tmp_path / "tokens.csv"
    path.write_text(f"logprob,text,story\n-0.5,1.10,{10**19}\n-1.5,007,{10**19 + 1}\n")
    report = score_tokens(path, log_probability="logprob", text="text", document="story")
    assert report.documents == 2
    assert report.bits_per_byte == pytest.approx(2.0 / math.log(2) / len("1.10007"), rel=1e-12)


def test_counts_do_not_depend_on_where_batches_end(tmp_path):
    tokens = ["ab", "cd", " e", "f", "", "g\n", "h"] * 3000
    path = tmp_path / "a.parquet"
    pa.parquet.write_table(pa.table({"lp": [-1.0] * len(tokens), "t": tokens}), path, row_group_size=1001)
    whole = score_tokens(pa.table({"lp": [-1.0] * len(tokens), "t": tokens}), log_probability="lp", text="t")
    parts = pa.Table.from_batches(pa.table({"lp": [-1.0] * len(tokens), "t": tokens}).to_batches(max_chunksize=13))
    assert unit(whole, "word").count == len("".join(tokens).split())
    for source in (parts, path):
        assert score_tokens(source, log_probability="lp", text="t").units == whole.units


def test_overflowing_perplexity_is_infinite_and_the_loss_stays():
    report = score_tokens(table([-800.0, -900.0], doc=["a", "b"]), log_probability="lp", document="doc")
    found = unit(report, "token")
    assert (found.nats, found.perplexity) == (850.0, math.inf)
    assert "850.0 nats" in str(report)
    assert "perplexity inf" in str(report)
    assert json.loads(report.json())["units"][0]["perplexity"] == "inf"


def test_exponential_is_that_of_the_largest_number_at_its_edge():
    assert exponential(709.782712893384) == pytest.approx(1.797693134862273e308, rel=1e-10)
    assert exponential(709.782712893385) == math.inf


@pytest.mark.parametrize("value", [-math.inf, -9999.0, -1.7976931348623157e308])
def test_infinite_costs_are_counted_and_named_beside_the_finite_mean(value):
    data = table([-1.0, value, -3.0, -2.0], doc=list("abab"), n=[2, 5, 2, 4])
    report = score_tokens(data, **COLUMNS)
    assert (report.bits_per_byte, report.infinite, report.nats) == (math.inf, 1, math.inf)
    byte = unit(report, "byte")
    assert (byte.count, byte.nats, byte.finite_nats, byte.interval) == (13, math.inf, 6.0 / 8.0, (math.inf, math.inf))
    assert report.worst_tokens[0].place == "row 1"
    assert "1 row has a log-probability of −∞ (the first: row 1), and so is the mean" in report.warnings[0]
    assert "finite rows    2.000 nats per token, 0.750 nats per byte" in str(report)


def test_only_infinite_costs_have_no_finite_mean():
    report = score_tokens(table([-math.inf] * 2, doc=["a", "b"]), log_probability="lp", document="doc")
    assert unit(report, "token").finite_nats is None
    assert "infinite nats per token" in str(report)


def test_the_worst_documents_have_enough_bytes_to_be_judged():
    data = table([-9.0, -50.0, -40.0, -1.0], doc=list("abcd"), n=[2, 20, 10, 40])
    report = score_tokens(data, **COLUMNS)
    assert [(one.document, one.nats_per_unit, one.count) for one in report.worst_documents] == [
        ("b", 2.5, 20),
        ("d", 0.025, 40),
    ]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        (
            [-1.0, 0.3, -1.0],
            r"row 1 \(counted from 0\) has the log-probability 0\.3, but it must be 0 or less \(1 of 3",
        ),
        ([-1.0, math.nan], r"row 1 \(counted from 0\) has the log-probability nan"),
        ([math.inf, -1.0], r"row 0 .* has the log-probability inf"),
        ([1.0, 2.0, -0.5], r"These look like losses"),
    ],
)
def test_what_is_no_log_probability_is_refused(values, message):
    with pytest.raises(ProbabilityError, match=message):
        score_tokens(table(values), log_probability="lp")


def test_the_line_and_the_token_are_named(tmp_path):
    line = (DATA / "chats.jsonl").read_text(encoding="utf-8").splitlines()[0]
    path = tmp_path / "a.jsonl"
    path.write_text(
        line + "\n" + line.replace("-1.2046075", "0.75").replace("chatcmpl-B9MBs", "other") + "\n", encoding="utf-8"
    )
    with pytest.raises(ProbabilityError, match=r"a\.jsonl, line 2, token 1 \(' cat'\) has the log-probability 0\.75"):
        score_tokens(path)


def test_rounding_above_zero_is_zero():
    assert score_tokens(table([1e-7, -0.0]), log_probability="lp").nats == 0.0


@pytest.mark.parametrize(
    ("columns", "options", "error", "message"),
    [
        ({}, {"byte_count": "x"}, SourceError, r"no column is named 'x'.*\n.*--bytes NAME"),
        (
            {"n": [1.5, 2.0]},
            {"byte_count": "n"},
            SourceError,
            r"row 0 .*column 'n' is 1\.5, but a count is a whole number",
        ),
        ({"n": [-1, 2]}, {"byte_count": "n"}, SourceError, r"is -1, but a count"),
        ({"t": ["a", "b"]}, {"byte_count": "t"}, SourceError, r"column 't' is of type string, but must be numbers"),
        ({"t": ["Ġthe", "Ġcat"]}, {"text": "t"}, SourceError, r"has entries of a vocabulary \(with Ġ or ▁"),
        ({"t": ["▁the", "s"]}, {"text": "t"}, SourceError, r"has entries of a vocabulary"),
        ({}, {"document": "lp"}, SourceError, r"column 'lp' is given as --log-probability and --cluster"),
        ({}, {"top": -1}, OptionError, r"top is -1"),
    ],
)
def test_columns_that_do_not_fit(columns, options, error, message):
    with pytest.raises(error, match=message):
        score_tokens(table([-1.0, -2.0], **columns), log_probability="lp", **options)


def test_a_missing_document_or_log_probability_is_refused():
    with pytest.raises(SourceError, match=r"row 1 .*column 'doc' is missing"):
        score_tokens(pa.table({"lp": [-1.0, -2.0], "doc": ["a", None]}), log_probability="lp", document="doc")
    with pytest.raises(SourceError, match=r"row 1 .*column 'lp' is missing"):
        score_tokens(pa.table({"lp": [-1.0, None]}), log_probability="lp")


def test_rows_without_text_take_the_mean_per_byte_away_and_say_so():
    report = score_tokens(pa.table({"lp": [-1.0, -2.0], "t": ["a", None]}), log_probability="lp", text="t")
    assert [one.unit for one in report.units] == ["token"]
    assert any("1 of 2 rows have no text, or a part of a character" in text for text in report.warnings)


def test_texts_may_hold_several_tokens():
    data = table([-6.0, -4.0], text=["Ġ one two", "three"], k=[3, 2])
    report = score_tokens(data, log_probability="lp", text="text", token_count="k")
    assert (unit(report, "token").nats, unit(report, "token").count) == (2.0, 5)
    assert report.worst_tokens == ()


def test_logs_know_their_columns():
    with pytest.raises(
        OptionError, match=r"has no columns, being a log of samples of lm-ev.*\nLeave --text \(text=\) out"
    ):
        score_tokens(WIKITEXT, text="page")


def test_choices_are_sent_elsewhere():
    with pytest.raises(SourceError, match="scored as classes, not per token"):
        score_tokens(next(DATA.glob("samples_arc*")))


def test_two_runs_are_not_added_up(tmp_path):
    copy = tmp_path / "again.jsonl"
    for log in (WIKITEXT, DATA / "batch_output.jsonl"):
        copy.write_bytes(log.read_bytes())
        with pytest.raises(SourceError, match=rf"again\.jsonl has document .*, which .*{log.name} has too"):
            score_tokens([log, copy])


def test_an_unknown_file_says_what_to_pass(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text("lp\n-1\n")
    with pytest.raises(
        SourceError, match=r"no log of token log-probabilities that xent knows\.\nPass --log-probability"
    ):
        score_tokens(path)
    with pytest.raises(SourceError, match=r"absent\.jsonl does not exist"):
        score_tokens(tmp_path / "absent.jsonl")


def test_unscored_tokens_are_counted():
    report = score_tokens(DATA / "completions.json")
    assert report.unscored == 2
    assert unit(report, "byte").count == len("A robin sings.A — B".encode()) - 2
    assert "2 tokens have no log-probability (the first of a prompt) and are not scored" in report.notes


def two_models(seed=3, documents=25):
    """The same documents cut differently by two tokenizers."""
    random = np.random.default_rng(seed)
    sizes = {f"d{i}": int(n) for i, n in enumerate(random.integers(30, 200, documents))}
    found = []
    for rate in (0.9, 1.0):
        doc, n, lp = [], [], []
        for name, size in sizes.items():
            cuts = np.diff([0, *np.sort(random.choice(np.arange(1, size), size // 8, replace=False)), size])
            doc += [name] * len(cuts)
            n += cuts.tolist()
            lp += (-random.exponential(rate * cuts)).tolist()
        found.append(table(lp, n=n, doc=doc))
    return found


def test_a_comparison_is_the_paired_ratio_estimator():
    first, second = two_models()
    names = np.unique(first["doc"])
    x = np.array([first["n"][first["doc"] == name].sum() for name in names])
    y, v = (np.array([-data["lp"][data["doc"] == name].sum() for name in names]) for data in (first, second))
    r, error, _, _ = linearised(y - v, x)  # with the same bytes in both, the ratio of the differences
    found = compare_tokens(first, second, **COLUMNS)
    reach = stats.t.ppf(0.975, len(names) - 1) * error
    bits = math.log(2)
    assert found.difference == pytest.approx(r / bits, rel=1e-9)
    assert found.standard_error == pytest.approx(error / bits, rel=1e-9)
    assert found.interval == pytest.approx(((r - reach) / bits, (r + reach) / bits), rel=1e-9)
    assert found.p_value == pytest.approx(2 * stats.t.sf(abs(r / error), len(names) - 1), rel=1e-8)
    assert found.bits_per_byte == pytest.approx((y.sum() / x.sum() / bits, v.sum() / x.sum() / bits), rel=1e-12)
    assert (found.documents, found.bytes) == (25, x.sum())


def test_a_model_does_not_differ_from_itself_and_turning_the_pair_turns_the_sign():
    first, second = two_models()
    same = compare_tokens(first, first, **COLUMNS)
    assert (same.difference, same.standard_error, same.p_value) == (0.0, 0.0, 1.0)
    assert same.verdict == "no difference is shown: 0 lies in the interval"
    one, other = compare_tokens(first, second, **COLUMNS), compare_tokens(second, first, **COLUMNS)
    assert one.difference == -other.difference
    assert one.interval == (-other.interval[1], -other.interval[0])


def test_documents_of_one_log_only_are_counted_and_left_out():
    first, second = two_models()
    kept = second["doc"] != "d3"
    fewer = {name: column[kept] for name, column in second.items()}
    found = compare_tokens(first, fewer, names=("small", "large"), **COLUMNS)
    assert (found.documents, found.only_in_first, found.only_in_second) == (24, 1, 0)
    assert "left out       1 document only in small" in str(found)
    kept = first["doc"] != "d3"
    alone = compare_tokens({name: column[kept] for name, column in first.items()}, fewer, **COLUMNS)
    assert found.difference == alone.difference


def test_other_texts_are_refused_by_name():
    first, second = two_models()
    second["n"] = second["n"].copy()
    second["n"][second["doc"] == "d7"] += 1
    with pytest.raises(
        ShapeError, match=r"document d7 has [\d,]+ bytes in the first but [\d,]+ in the second, so the texts"
    ):
        compare_tokens(first, second, **COLUMNS)


def test_unscored_first_tokens_of_another_length_are_no_other_text(tmp_path):
    paths = []
    for name, cut in (("a.jsonl", 1), ("b.jsonl", 3)):
        lines = []
        for i, text in enumerate(["The cat sat on it.", "A robin sings now."]):
            tokens = [text[:cut], text[cut:9], text[9:]]
            logprobs = {"tokens": tokens, "token_logprobs": [None, -3.0 - i - cut, -2.0]}
            lines.append(json.dumps({"id": f"t{i}", "choices": [{"index": 0, "logprobs": logprobs}]}) + "\n")
        (tmp_path / name).write_text("".join(lines))
        paths.append(tmp_path / name)
    found = compare_tokens(*paths)
    assert found.bits_per_byte == pytest.approx((13 / 34 / math.log(2), 17 / 30 / math.log(2)), rel=1e-12)
    assert "2 of 2 documents begin with an unscored token of another length" in found.warnings[0]
    assert found.first == str(paths[0])


@pytest.mark.parametrize(
    ("lp", "columns", "error", "message"),
    [
        (
            [-1.0],
            {"doc": ["z"], "n": [3]},
            ShapeError,
            r"no document is in both logs: the first has d0, d1, d10, …, the",
        ),
        ([-1.0], {"n": [3]}, SourceError, r"the second does not say which document a row is of"),
        ([-1.0], {"doc": ["d0"]}, SourceError, r"the second does not tell the bytes of document d0"),
    ],
)
def test_logs_that_cannot_be_compared(lp, columns, error, message):
    sums = [
        sum_tokens(open_tokens(data, log_probability="lp", **{k: v for k, v in
                   {"byte_count": "n", "document": "doc"}.items() if v in data}).batches)
        for data in (two_models()[0], table(lp, **columns))
    ]  # fmt: skip
    with pytest.raises(error, match=message):
        compare_sums(*sums, ("the first", "the second"))


def test_infinite_costs_decide_a_comparison():
    good, bad = table([-1.0, -2.0], n=[4, 4], doc=["a", "b"]), table([-1.0, -math.inf], n=[4, 4], doc=["a", "b"])
    found = compare_tokens(good, bad, names=("good", "bad"), **COLUMNS)
    assert (found.difference, found.interval) == (-math.inf, None)
    assert found.verdict.startswith("good is better")
    both = compare_tokens(bad, bad, **COLUMNS)
    assert both.difference is None
    assert json.loads(both.json())["bits_per_byte"] == ["inf", "inf"]
    assert "infinite costs in both" in str(both)


def parse(*arguments):
    parser = argparse.ArgumentParser()
    parser.add_argument("files", nargs="+")
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--fail-above", type=float)
    parser.add_argument("--html")
    parser.add_argument("--cluster")
    command.add(parser)
    return parser.parse_args([str(argument) for argument in arguments])


def test_the_command_prints_the_report(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "120")
    assert command.run(parse(WIKITEXT)) == 0
    out, err = capsys.readouterr()
    assert err == ""
    for part in (
        "cross-entropy  1.961 bits per byte  (95% interval 0 – 5.772, 3 documents, 165 bytes)",
        "per word       5.471 nats (0 – ",
        "3 documents are few: intervals are by the studentised bootstrap",
        "words and bytes as the harness counted them, else of the scored text",
    ):
        assert part in out


def test_the_command_reads_a_table(capsys, tmp_path):
    path = tmp_path / "a.csv"
    path.write_text('story,token,logprob\na,The,-0.5\na," cat",-1.5\nb," sat",-1\n')
    options = ("--log-probability", "logprob", "--text", "token", "--cluster", "story", "--json")
    assert command.run(parse(path, *options)) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["bits_per_byte"] == pytest.approx(3.0 / 11.0 / math.log(2), rel=1e-12)
    assert found["documents"] == 2


def test_a_missed_threshold_is_status_1(capsys):
    assert command.run(parse(WIKITEXT, "--fail-above", "1.9")) == 1
    assert "the loss is 1.9613 bits per byte, above 1.9" in capsys.readouterr().err
    assert command.run(parse(WIKITEXT, "--fail-above", "2")) == 0


def test_options_without_meaning_are_refused():
    with pytest.raises(OptionError, match="--html has no meaning for log-probabilities of tokens"):
        command.run(parse(WIKITEXT, "--html", "x.html"))
    options = parse(WIKITEXT)
    options.kind, options.normalize = "auto", True
    with pytest.raises(OptionError, match="--normalize has no meaning"):
        command.run(options)
