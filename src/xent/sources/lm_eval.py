"""Samples of lm-evaluation-harness (`--log_samples`): one JSON object per document and filter.

Written by `EvaluationTracker.save_results_samples`, which turns the numbers in `resps` into text ("-12.5", "True") and
`arguments` into {"gen_args_0": {"arg_0": …}}. Lists of numbers, as the harness has them in memory, are read too.
"""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import pyarrow as pa

from xent.errors import SourceError
from xent.sources.text_counts import text_counts
from xent.sources.token_rows import UNKNOWN, TokenRow
from xent.texts.catalogue import sentence

__all__ = ["choice_table", "has_choices", "is_sample", "sample_rows"]

OTHER_FILTERS = sentence("left_out.filters")


class Request(NamedTuple):
    """One text whose log-likelihood the harness asked for."""

    context: str | None  # None: the log-likelihood is of a whole document
    text: str
    log_likelihood: float


def is_sample(record: Any) -> bool:
    """Say whether a JSON value is a sample of the harness."""
    return isinstance(record, Mapping) and "doc_id" in record and ("filtered_resps" in record or "resps" in record)


def has_choices(place: str, sample: Mapping[str, Any]) -> bool:
    """Say whether a sample has a log-likelihood for each of several choices."""
    return len(_requests(place, sample)) > 1


def sample_rows(records: Iterable[tuple[str, int, Any]], left_out: Counter[str]) -> Iterator[TokenRow]:
    """Rows of samples with one log-likelihood each, that of a document or of a continuation.

    Raises:
        SourceError: a line is no sample, has generated text or choices, or repeats a document.
    """
    for place, number, sample in _each_once(records, left_out):
        requests = _requests(place, sample)
        if len(requests) != 1:
            raise SourceError(
                f"{place} has log-likelihoods of {len(requests)} choices, but the lines before have one text each.\n"
                "Read samples of one task, or of tasks of one kind, at a time."
            )
        [request] = requests
        counts = (UNKNOWN, *_counted(sample, request))
        yield TokenRow(number, -1, _document(sample), request.log_likelihood, counts, request.text)


def choice_table(records: Iterable[tuple[str, int, Any]], left_out: Counter[str]) -> pa.Table:
    """Samples of a multiple-choice task as a table: `label`, `logit_0` … `logit_{m−1}` and `document`.

    The log-likelihoods of the choices are logits: their softmax is how the model shares its belief among them.

    Raises:
        SourceError: the samples differ in the number of choices, or a target names none of them.
    """
    labels, logits, documents = list[int](), list[list[float]](), list[str]()
    for place, _, sample in _each_once(records, left_out):
        requests = _choices(_requests(place, sample))
        row = [request.log_likelihood for request in requests]
        if logits and len(row) != len(logits[0]):
            raise SourceError(
                f"{place} has {len(row)} choices, but the first sample has {len(logits[0])}.\n"
                "A class per choice needs as many in every row; score tasks with a fixed number of choices."
            )
        if not all(map(math.isfinite, row)):
            raise SourceError(f"{place} has the log-likelihoods {row}, but they must be finite.\nRemove that sample.")
        logits.append(row)
        labels.append(_target(place, sample, requests))
        documents.append(_document(sample))
    columns = {f"logit_{choice}": list(values) for choice, values in enumerate(zip(*logits, strict=True))}
    return pa.table({"label": labels, **columns, "document": documents})


def _each_once(
    records: Iterable[tuple[str, int, Any]], left_out: Counter[str]
) -> Iterator[tuple[str, int, Mapping[str, Any]]]:
    """Samples of the first filter: a sample is written once for each, with the same log-likelihoods."""
    seen: set[str] = set()
    kept: Any = None
    for place, number, sample in records:
        if not is_sample(sample):
            raise SourceError(
                f"{place} is no sample of lm-evaluation-harness: it has no doc_id, or no filtered_resps.\n"
                "Remove that line, or read the files apart."
            )
        kept = sample.get("filter") if not seen else kept
        if sample.get("filter") != kept:
            left_out[OTHER_FILTERS] += 1
            continue
        document = _document(sample)
        if document in seen:
            raise SourceError(
                f"{place} has document {sample['doc_id']} a second time, so it would count double.\n"
                "The file probably holds two runs; keep one of them."
            )
        seen.add(document)
        yield place, number, sample


def _document(sample: Mapping[str, Any]) -> str:
    """The number, with a piece of the text's hash that tells the documents of two tasks apart."""
    mark = str(sample.get("doc_hash") or "")[:8]
    name = f"{sample['doc_id']}#{mark}" if mark else str(sample["doc_id"])
    return name.encode("utf-8", "replace").decode()  # JSON can hold half of a surrogate pair


def _requests(place: str, sample: Mapping[str, Any]) -> list[Request]:
    """The texts of a sample and their log-likelihoods."""
    responses = sample.get("filtered_resps") or sample.get("resps")
    arguments = _arguments(sample)
    if not isinstance(responses, list) or not responses or len(arguments) < len(responses):
        raise SourceError(
            f"{place} has no list of responses (filtered_resps) with as many arguments.\n"
            "Write the samples again with --log_samples."
        )
    found = []
    for response, argument in zip(responses, arguments, strict=False):
        if any(isinstance(part, Mapping) for part in argument):
            raise SourceError(
                f"{place} is of a task that generates text (its arguments say until when), so it has no log-likelihood.\n"
                "Only tasks of output type loglikelihood, loglikelihood_rolling or multiple_choice have one."
            )
        texts = [part for part in argument if isinstance(part, str)]
        if not texts:
            raise SourceError(f"{place} has no text in its arguments.\nWrite the samples again with --log_samples.")
        context, text = (None, texts[0]) if len(texts) == 1 else (texts[0], texts[1])
        found.append(Request(context, text, _number(place, response)))
    return found


def _arguments(sample: Mapping[str, Any]) -> list[list[Any]]:
    arguments = sample.get("arguments") or []
    listed = list(arguments.values()) if isinstance(arguments, Mapping) else arguments
    if not isinstance(listed, list):
        return []
    return [
        list(one.values()) if isinstance(one, Mapping) else list(one) if isinstance(one, list) else [one]
        for one in listed
    ]


def _number(place: str, response: Any) -> float:
    """The log-likelihood in -1.5, "-1.5", ["-1.5", "True"] or [["-1.5", "True"]]."""
    while isinstance(response, list) and response:
        response = response[0]
    try:
        if isinstance(response, str | int | float) and not isinstance(response, bool):
            return float(response)
    except (ValueError, OverflowError):
        pass
    raise SourceError(
        f"{place} has the response {str(response)[:40]!r}, which is no log-likelihood.\n"
        "Only tasks of output type loglikelihood, loglikelihood_rolling or multiple_choice have one; generated text has "
        "none."
    )


def _counted(sample: Mapping[str, Any], request: Request) -> tuple[int, int, int]:
    """Words, characters and bytes; as the harness counted them where it did: [log-likelihood, count], by figure."""
    words, characters, size = text_counts(request.text)
    if (
        request.context is not None and words >= 0
    ):  # the harness has no words of continuations, which begin with a space
        words = len(request.text.split())

    def told(name: str, otherwise: int) -> int:
        pair = sample.get(name)
        whole = isinstance(pair, list) and len(pair) == 2 and type(pair[1]) is int and 0 <= pair[1] < 1 << 40
        return pair[1] if whole and pair is not None else otherwise

    return told("word_perplexity", words), characters, told("byte_perplexity", told("bits_per_byte", size))


def _choices(requests: list[Request]) -> list[Request]:
    """The choices alone, where `acc_mutual_info` made the harness ask for each without its context too."""
    half, odd = divmod(len(requests), 2)
    first, second = requests[:half], requests[half:]
    doubled = not odd and all(request.context == "" for request in second) and any(one.context for one in first)
    return first if doubled and [one.text for one in first] == [one.text for one in second] else requests


def _target(place: str, sample: Mapping[str, Any], requests: list[Request]) -> int:
    """Which choice is right: the target is its number, or its text."""
    target = str(sample.get("target", "")).strip()
    texts = [request.text.strip() for request in requests]
    if texts.count(target) == 1 and not (target.isdigit() and int(target) < len(texts)):
        return texts.index(target)
    if target.isdigit() and int(target) < len(texts):
        return int(target)
    raise SourceError(
        f"{place} has the target {target[:40]!r}, which names none of its {len(texts)} choices: "
        f"{', '.join(repr(text[:20]) for text in texts[:6])}.\n"
        "A target must be a choice's number, from 0, or a text that one choice alone has."
    )
