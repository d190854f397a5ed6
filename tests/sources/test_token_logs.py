"""Token logs: the real formats read as they are, what their units count, and what is refused."""

import gzip
import json
import math
import random
import re
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

import xent
from xent.errors import SourceError, XentError
from xent.scoring.token_costs import sum_tokens
from xent.sources.text_counts import column_counts, token_counts
from xent.sources.token_logs import open_token_log, open_token_logs

DATA = Path(__file__).parents[1] / "data" / "token_logs"
WIKITEXT = DATA / "samples_wikitext_2025-03-04T10-11-12.131415.jsonl"
LAMBADA = DATA / "samples_lambada_openai_2025-03-04T10-11-12.131415.jsonl"
ARC = DATA / "samples_arc_easy_2025-03-04T10-11-12.131415.jsonl"
CHAT, CHATS, BATCH, COMPLETIONS = (
    DATA / name for name in ("chat.json", "chats.jsonl", "batch_output.jsonl", "completions.json")
)
LOGS = [WIKITEXT, LAMBADA, CHAT, CHATS, BATCH, COMPLETIONS]


def rows(path):
    """Every row as (document, log-probability, tokens, words, characters, bytes)."""
    return [
        (document, value, *counts)
        for batch in open_token_log(path).batches()
        for document, value, counts in zip(
            batch.documents.to_pylist(), batch.log_probabilities.tolist(), batch.counts.tolist(), strict=True
        )
    ]


def records(path):
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def written(path, values):
    path.write_text("".join(json.dumps(value) + "\n" for value in values), encoding="utf-8")
    return path


def test_rolling_log_likelihoods_have_the_words_and_bytes_that_the_harness_counted():
    found = rows(WIKITEXT)
    for sample, (document, value, tokens, words, _, size) in zip(records(WIKITEXT), found, strict=True):
        page = sample["doc"]["page"]  # which the harness counts, though it scores the detokenized text
        assert document == f"{sample['doc_id']}#{sample['doc_hash'][:8]}"
        assert value == float(sample["resps"][0][0])
        assert (tokens, words, size) == (-1, len(re.split(r"\s+", page)), len(page.encode()))


def test_without_its_figures_the_scored_text_is_counted_as_the_harness_does(tmp_path):
    samples = records(WIKITEXT)
    for sample in samples:
        for figure in sample["metrics"]:
            del sample[figure]
    for row, sample in zip(rows(written(tmp_path / "a.jsonl", samples)), samples, strict=True):
        text = sample["target"]
        assert row[2:] == (-1, len(re.split(r"\s+", text)), len(text), len(text.encode()))


def test_continuations_are_counted_without_their_context():
    assert [row[1:] for row in rows(LAMBADA)] == [(-0.8125, -1, 1, 5, 5), (-1.40625, -1, 1, 4, 4), (-9.25, -1, 1, 4, 5)]


def test_samples_as_lists_of_numbers_are_read_too(tmp_path):
    samples = records(LAMBADA)
    for sample in samples:
        sample["arguments"] = [[one["arg_0"], one["arg_1"]] for one in sample["arguments"].values()]
        sample["resps"] = sample["filtered_resps"] = [[float(sample["filtered_resps"][0][0]), True]]
    assert rows(written(tmp_path / "a.jsonl", samples)) == rows(LAMBADA)


def test_further_filters_are_left_out_and_counted(tmp_path):
    samples = records(LAMBADA)
    path = written(tmp_path / "a.jsonl", [*samples, *({**one, "filter": "other"} for one in samples)])
    [batch] = open_token_log(path).batches()
    assert len(batch.numbers) == 3
    assert batch.left_out == {"samples of further filters": 3}


def test_choices_are_a_table_of_logits():
    log = open_token_log(ARC)
    assert log.choices
    table, left_out = log.choice_table()
    assert left_out == ()
    assert table["label"].to_pylist() == [1, 2, 0]
    assert [table[f"logit_{i}"][0].as_py() for i in range(4)] == [-9.5, -2.25, -7.125, -6.0]
    loss = np.mean([np.logaddexp.reduce([r[f"logit_{i}"] for i in range(4)]) - r[f"logit_{r['label']}"]
                    for r in table.to_pylist()])  # fmt: skip
    report = xent.scan(table)
    assert report.loss == pytest.approx(loss, rel=1e-12)
    assert report.kind == "logits"


def test_a_target_may_be_the_text_of_a_choice(tmp_path):
    samples = records(ARC)
    for sample in samples:
        sample["target"] = sample["doc"]["choices"]["text"][int(sample["target"])]
    table, _ = open_token_log(written(tmp_path / "a.jsonl", samples)).choice_table()
    assert table["label"].to_pylist() == [1, 2, 0]


def test_choices_asked_for_without_their_context_are_left_aside(tmp_path):
    samples = records(ARC)
    for sample in samples:
        bare = [{"arg_0": "", "arg_1": one["arg_1"]} for one in sample["arguments"].values()]
        sample["arguments"] |= {f"gen_args_{4 + i}": one for i, one in enumerate(bare)}
        for name in ("resps", "filtered_resps"):
            sample[name] = [
                *sample[name],
                *([["-20.0", "False"]] * 4 if name[0] == "f" else [[["-20.0", "False"]]] * 4),
            ]
    table, _ = open_token_log(written(tmp_path / "a.jsonl", samples)).choice_table()
    assert table.column_names == ["label", "logit_0", "logit_1", "logit_2", "logit_3", "document"]


CHAT_ROWS = [(-0.31725305, 1, 1, 3, 3), (-1.2046075, 1, 1, 4, 4), (-0.0047, 1, 1, 4, 4), (-0.25, 1, 0, 1, 1)]


@pytest.mark.parametrize("path", [CHAT, CHATS, BATCH], ids=lambda path: path.name)
def test_chat_completions(path):
    assert [row[1:] for row in rows(path)[:4]] == CHAT_ROWS


def test_bytes_of_a_split_character_come_from_the_log():
    assert [row[2:] for row in rows(CHATS)[4:]] == [(1, 1, 2, 2), (1, 1, 2, 3), (1, 0, 0, 2), (1, 0, 1, 1)]


def test_a_batch_names_documents_by_its_custom_ids():
    assert {row[0] for row in rows(BATCH)} == {"request-0", "request-1"}


def test_completions_leave_the_first_token_unscored_and_name_bytes_of_split_characters():
    [batch] = open_token_log(COMPLETIONS).batches()
    name = "cmpl-uqkvlQyYK7bGYrRHQ0eXlWi7"
    assert [tuple(one) for one in batch.unscored] == [(name, 1, 1), (f"{name}/1", 1, 1)]
    assert batch.counts.tolist() == [
        [1, 1, 4, 4], [1, 0, 2, 2], [1, 1, 6, 6], [1, 0, 1, 1],
        [1, 1, 2, 3], [1, 0, 0, 1], [1, 1, 2, 2],
    ]  # fmt: skip


def test_streamed_chunks_are_one_document(tmp_path):
    whole = json.loads(CHAT.read_text(encoding="utf-8"))
    entries = whole["choices"][0]["logprobs"]["content"]
    chunk = {"id": whole["id"], "object": "chat.completion.chunk"}
    chunks = [{"index": 0, "delta": {"role": "assistant"}, "logprobs": None}]
    chunks += [{"index": 0, "delta": {"content": one["token"]}, "logprobs": {"content": [one]}} for one in entries]
    chunks += [{"index": 0, "delta": {}, "finish_reason": "stop"}]
    lines = [{**chunk, "choices": [one]} for one in chunks] + [{**chunk, "choices": [], "usage": {}}]
    assert rows(written(tmp_path / "a.jsonl", lines)) == rows(CHAT)


def test_empty_responses_are_counted(tmp_path):
    whole = json.loads(CHAT.read_text(encoding="utf-8"))
    empty = {**whole, "id": "b", "choices": [{"index": 0, "message": {}, "logprobs": {"content": []}}]}
    [batch] = open_token_log(written(tmp_path / "a.jsonl", [whole, empty])).batches()
    assert batch.left_out == {"empty documents": 1}


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.name)
@pytest.mark.parametrize("how", ["gz", "zst", "bom", "array", "spread"])
def test_however_a_log_is_wrapped_its_rows_are_the_same(tmp_path, path, how):
    text = path.read_text(encoding="utf-8")
    copy = tmp_path / (path.name + (f".{how}" if how in ("gz", "zst") else ""))
    values = [json.loads(text)] if path.suffix == ".json" else records(path)
    values = values[0] if isinstance(values[0], list) else values
    match how:
        case "gz":
            copy.write_bytes(gzip.compress(text.encode()))
        case "zst":
            with pa.output_stream(copy, compression="zstd") as stream:
                stream.write(text.encode())
        case "bom":
            copy.write_bytes(b"\xef\xbb\xbf" + text.encode())
        case "array":
            copy.write_text(json.dumps(values), encoding="utf-8")
        case "spread":
            copy.write_text(json.dumps(values, indent=2), encoding="utf-8")
    assert rows(copy) == rows(path)


@pytest.mark.parametrize(
    "text",
    [
        "label,p\n1,0.5\n", '{"label": 1, "p": 0.5}\n', '{"question": "?", "choices": ["a", "b"]}\n', "[1, 2]", "{", "[]",
        '{"choices": [{"text": "no logprobs were asked for"}]}\n', "PAR1", "", "\n\n", "[[{", "{}",
    ],
)  # fmt: skip
def test_other_files_are_none(tmp_path, text):
    path = tmp_path / "a.json"
    path.write_text(text)
    assert open_token_log(path) is None


def test_what_is_no_file_is_none(tmp_path):
    assert open_token_log("-") is None
    assert open_token_log(tmp_path) is None
    assert open_token_log(tmp_path / "absent.jsonl") is None


def changed(path, edit, line=1):
    values = records(path)
    edit(values[line])
    return values


def with_token(**entry):
    def edit(value):
        value["choices"][0]["logprobs"]["content"][1] = entry

    return edit


def set_choice(key, value):
    return lambda record: record["choices"][0].__setitem__(key, value)


BROKEN = [
    (LAMBADA, lambda s: s.pop("doc_id"), r"line 2 is no sample of lm-evaluation-harness"),
    (
        LAMBADA,
        lambda s: s.update(filtered_resps=["the sea"]),
        r"line 2 has the response 'the sea', which is no log-lik",
    ),
    (LAMBADA, lambda s: s.update(filtered_resps=[]) or s.pop("resps"), r"line 2 has no list of responses"),
    (
        LAMBADA,
        lambda s: s.update(arguments={}),
        r"line 2 has no list of responses \(filtered_resps\) with as many argum",
    ),
    (LAMBADA, lambda s: s.update(arguments={"gen_args_0": {"arg_0": 3}}), r"line 2 has no text in its arguments"),
    (
        LAMBADA,
        lambda s: s.update(doc_id=0, doc_hash=records(LAMBADA)[0]["doc_hash"]),
        r"line 2 has document 0 a second",
    ),
    (
        LAMBADA,
        lambda s: s.update({k: v for k, v in records(ARC)[0].items() if k in ("arguments", "filtered_resps")}),
        r"line 2 has log-likelihoods of 4 choices, but the lines before have one",
    ),
    (CHATS, with_token(token=" x", logprob=None, bytes=None), r"line 2, token 1 has no token or no logprob"),
    (CHATS, with_token(logprob=-1.0), r"line 2, token 1 has no token or no logprob"),
    (
        CHATS,
        with_token(token=" x", logprob="-1"),
        r"line 2, token 1 \(' x'\) has the log-probability '-1', which is no",
    ),
    (CHATS, with_token(token=" x", logprob=-1.0, bytes=[300]), r"token 1 has bytes \[300\], but they must be whole"),
    (CHATS, set_choice("logprobs", None), r"line 2 has no log-probabilities \(logprobs is None\)"),
    (CHATS, lambda r: r.pop("choices") and None, r"line 2 is no response with choices\[\]\.logprobs"),
    (
        CHATS,
        set_choice("logprobs", {"tokens": ["a"], "token_logprobs": [-1.0, -2.0]}),
        r"line 2 has 2 token_logprobs but 1 tokens",
    ),
    (
        CHATS,
        set_choice("logprobs", {"tokens": ["a", "b"], "token_logprobs": [-1.0, None]}),
        r"line 2, token 1 \('b'\) has no log-probability \(null\)",
    ),
]


@pytest.mark.parametrize(("path", "edit", "message"), BROKEN, ids=range(len(BROKEN)))
def test_broken_pieces_are_named(tmp_path, path, edit, message):
    copy = written(tmp_path / "a.jsonl", changed(path, edit))
    with pytest.raises(SourceError, match=message) as caught:
        rows(copy)
    assert str(caught.value).startswith(str(copy))


def test_a_response_that_is_there_twice_is_refused(tmp_path):
    path = written(tmp_path / "a.jsonl", [*records(BATCH), records(BATCH)[1]])
    with pytest.raises(SourceError, match=r"line 3 is document request-1 a second time"):
        rows(path)


def test_a_failed_line_of_a_batch_tells_its_error(tmp_path):
    lines = [*records(BATCH), {"custom_id": "c", "response": None, "error": {"message": "rate limit"}}]
    with pytest.raises(SourceError, match=r"line 3 is no response .* but an error: .*rate limit"):
        rows(written(tmp_path / "a.jsonl", lines))


def test_a_log_cut_short_names_the_line(tmp_path):
    path = tmp_path / "a.jsonl"
    path.write_text(LAMBADA.read_text(encoding="utf-8")[:-40], encoding="utf-8")
    with pytest.raises(SourceError, match=r"a\.jsonl, line 3 is no JSON: .*\nCorrect that line"):
        rows(path)


def test_a_damaged_archive_is_said_to_be_one(tmp_path):
    path = tmp_path / "a.jsonl.gz"
    path.write_bytes(gzip.compress(LAMBADA.read_bytes() * 400)[:-30])
    with pytest.raises(SourceError, match=r"a\.jsonl\.gz cannot be read"):
        rows(path)


def test_generated_text_has_no_log_likelihood(tmp_path):
    sample = {**records(LAMBADA)[0], "arguments": {"gen_args_0": {"arg_0": "2+2=", "arg_1": {"until": ["\n"]}}}}
    path = written(tmp_path / "a.jsonl", [{**sample, "resps": [["4"]], "filtered_resps": ["four"]}])
    with pytest.raises(SourceError, match=r"generat(ed|es) text"):
        open_token_log(path)


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda s: s.update(target="mercury"), r"line 2 has the target 'mercury', which names none of its 4 choices"),
        (lambda s: s.update(target="4"), r"line 2 has the target '4', which names none"),
        (lambda s: s["filtered_resps"].pop(), r"line 2 has 3 choices, but the first sample has 4"),
        (lambda s: s["filtered_resps"].__setitem__(0, ["-inf", "False"]), r"line 2 has the log-likelihoods .* finite"),
    ],
)
def test_choices_that_are_no_table(tmp_path, edit, message):
    log = open_token_log(written(tmp_path / "a.jsonl", changed(ARC, edit)))
    with pytest.raises(SourceError, match=message):
        log.choice_table()


def test_files_of_two_kinds_are_refused(tmp_path):
    with pytest.raises(SourceError, match=r"chat\.json is responses with logprobs, unlike .*lambada"):
        open_token_logs([LAMBADA, CHAT])
    other = tmp_path / "a.csv"
    other.write_text("label,p\n1,0.5\n")
    with pytest.raises(SourceError, match=r"a\.csv is another kind of file"):
        open_token_logs([CHAT, other])
    with pytest.raises(SourceError, match=r"given twice"):
        open_token_logs([CHAT, str(CHAT.parent / "." / "chat.json")])
    assert [log.name for log in open_token_logs([str(DATA / "chat*")])] == [str(CHAT), str(CHATS)]


ODD = [None, True, 5, -1, -1e400, 10**400, math.nan, "", "x", "\ud83d", [], {}, [[]], [{}], {"content": 3}, [-1.0], 0.5]


def somewhere(value, random, odd):
    """The value with one of its parts replaced."""
    if not value or not isinstance(value, dict | list) or random.random() < 0.15:
        return odd
    keys = list(value) if isinstance(value, dict) else range(len(value))
    key = random.choice(keys)
    copy = value.copy()
    copy[key] = somewhere(value[key], random, odd)
    return copy


@pytest.mark.parametrize("path", [*LOGS, ARC], ids=lambda path: path.name)
def test_nonsense_anywhere_is_refused_or_read_but_never_a_crash(tmp_path, path):
    random_, copy = random.Random(path.name), tmp_path / "a.jsonl"
    text = path.read_text(encoding="utf-8")
    values = json.loads(text) if path == COMPLETIONS else [json.loads(text)] if path == CHAT else records(path)
    for _ in range(300):
        copy.write_text(json.dumps(somewhere(values, random_, random_.choice(ODD))), encoding="utf-8")
        with suppress(XentError):
            log = open_token_log(copy)
            if log is not None and log.choices:
                log.choice_table()
            elif log is not None:
                assert sum_tokens(log.batches()).whole().rows >= 0


TEXTS = [
    "The cat sat.",
    " two  spaces\n\nand lines ",
    "naïve café — 茶 🐱🐱 end",
    "\t",
    "",
    "x",
    "e\u0301 \u00a0y\u2003z",
]


@pytest.mark.parametrize("text", TEXTS)
def test_tokens_cut_anywhere_count_what_their_text_does(text):
    data, generator = text.encode(), random.Random(text)
    for _ in range(50):
        cuts = sorted(generator.choices(range(len(data) + 1), k=4))
        parts = [data[a:b] for a, b in zip([0, *cuts], [*cuts, len(data)], strict=True)]
        inside, total = False, np.zeros(3, int)
        for part in parts:
            counts, inside = token_counts("?", list(part), inside)
            total += counts
        assert tuple(total[1:]) == (len(text), len(data))
        if text.isascii():
            assert total[0] == len(text.split())


@pytest.mark.parametrize("text", TEXTS)
def test_columns_of_tokens_count_what_their_text_does(text):
    generator = random.Random(text)
    for _ in range(50):
        cuts = sorted(generator.choices(range(len(text) + 1), k=4))
        parts = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        counts = column_counts(pa.array(parts, pa.string()), None).sum(axis=0)
        assert tuple(counts) == (len(text.split()), len(text), len(text.encode()))


def test_words_of_two_documents_do_not_join():
    texts, documents = pa.array(["ab", "cd", "ef"]), pa.array(["1", "2", "2"])
    assert column_counts(texts, documents)[:, 0].tolist() == [1, 1, 0]


@pytest.mark.parametrize(
    ("token", "counts"),
    [
        ("token_id:312", (-1, -1, -1)),  # vLLM with return_tokens_as_token_ids
        ("\ufffd", (1, -1, -1)),  # a part of a character, of which a server kept no bytes
        ("a\ud83d", (1, -1, -1)),  # half of a surrogate pair
        (" \ufffd", (1, -1, -1)),
        ("bytes: \\xe2\\x80", (1, 2, 3)),
        ("bytes:\\x94", (1, 0, 1)),
        ("bytes:", (1, 6, 6)),
        ("", (0, 0, 0)),
    ],
)
def test_tokens_that_stand_for_something_else(token, counts):
    assert token_counts(token, None, False)[0] == counts
