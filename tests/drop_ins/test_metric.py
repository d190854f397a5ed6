"""`xent.torch.Metric`: the mean over all batches of all processes, whatever the split.

Run as a script, this file is one of two processes: `test_metric.py RANK STORE RESULT`.
"""

import copy
import gc
import io
import itertools
import math
import subprocess
import sys
import weakref

import numpy as np
import pytest
import torch
from scipy.special import expit, logsumexp

import xent
from xent.torch import Metric

ROWS, CLASSES = 200, 5
CUTS = {0: [0, 7, 90], 1: [90, 91, 150, 200]}  # the batches of each process


def batch(dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    logits = 4.0 * torch.randn(ROWS, CLASSES, generator=generator)
    return logits.to(dtype), torch.randint(CLASSES, (ROWS,), generator=generator)


def nats(logits, target):
    z = logits.double().numpy()
    return logsumexp(z, axis=1) - z[np.arange(len(z)), target.numpy()]


def fed(parts, **options):
    found = Metric(**options)
    for preds, target in parts:
        found.update(preds, target)
    return found


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16, torch.float16])
def test_the_mean_of_the_rows(dtype):
    logits, target = batch(dtype)
    found = fed([(logits[:13], target[:13]), (logits[13:], target[13:])]).compute()
    assert found.dtype == torch.float64
    assert found.shape == ()
    assert float(found) == pytest.approx(nats(logits, target).mean(), rel=1e-13)


def test_any_split_gives_the_bits_of_the_state():
    logits, target = batch()
    whole = xent.State(range(CLASSES), kind="logits").update(target, logits)
    for size in (1, 64, ROWS):
        found = fed(zip(logits.split(size), target.split(size), strict=True), classes=range(CLASSES))
        assert found.state == whole
        assert float(found.compute()) == found.report().loss == whole.report().loss


def test_a_call_adds_the_batch_and_returns_its_own_mean():
    logits, target = batch()
    found = Metric()
    for part in (slice(0, 50), slice(50, 200)):
        assert float(found(logits[part], target[part])) == pytest.approx(nats(logits, target)[part].mean(), rel=1e-13)
    assert found.state == fed([(logits, target)]).state
    assert math.isnan(found(logits[:0], target[:0]))
    assert found.state.rows == ROWS


def test_bits():
    logits, target = batch()
    found = fed([(logits, target)], unit="bits")
    assert float(found.compute()) == pytest.approx(nats(logits, target).mean() / math.log(2.0), rel=1e-13)
    assert float(found.compute()) == found.report().loss


def test_classes_are_on_axis_1_as_everywhere_in_torch():
    generator = torch.Generator().manual_seed(1)
    preds, target = torch.randn(4, CLASSES, 3, generator=generator), torch.randint(CLASSES, (4, 3), generator=generator)
    weight = torch.rand(4, 3, generator=generator)
    found = Metric()
    found.update(preds, target, weight)
    flat = nats(preds.movedim(1, -1).reshape(12, CLASSES), target.reshape(12))
    assert float(found.compute()) == pytest.approx(np.average(flat, weights=weight.reshape(12).double()), rel=1e-13)
    soft = torch.nn.functional.one_hot(target, CLASSES).movedim(-1, 1).double()
    assert float(fed([(preds, soft)]).compute()) == pytest.approx(flat.mean(), rel=1e-13)
    with pytest.raises(xent.ShapeError, match=r"target has shape \(4, 3\).*\n.*movedim"):
        found.update(preds.movedim(1, -1), target)
    with pytest.raises(xent.ShapeError, match=r"sample_weight has shape \(3, 4\)"):
        found.update(preds, target, weight.T)


@pytest.mark.parametrize("shape", [(-1,), (-1, 1)])
@pytest.mark.parametrize("dtype", [torch.int64, torch.float32, torch.bool])
def test_a_single_column_speaks_of_the_second_class(shape, dtype):
    generator = torch.Generator().manual_seed(2)
    logits, target = torch.randn(30, generator=generator), torch.randint(2, (30,), generator=generator)
    signs = 2.0 * target.numpy() - 1.0
    truth = -np.log(expit(signs * logits.double().numpy())).mean()
    found = fed([(logits.reshape(shape), target.to(dtype))], classes=["no", "yes"], task="binary")
    assert float(found.compute()) == pytest.approx(truth, rel=1e-13)
    assert found.report().classes == ("no", "yes")


def test_several_labels_a_row():
    generator = torch.Generator().manual_seed(3)
    logits, target = torch.randn(30, 4, generator=generator), torch.randint(2, (30, 4), generator=generator)
    terms = -np.log(expit((2.0 * target.numpy() - 1.0) * logits.double().numpy()))
    found = fed([(logits, target)], task="multilabel")
    assert float(found.compute()) == pytest.approx(terms.sum(axis=1).mean(), rel=1e-13)


def test_probabilities_and_a_zero():
    found = fed([(torch.tensor([[0.5, 0.5], [0.0, 1.0]]), torch.tensor([0, 0]))], kind="probabilities")
    assert float(found.compute()) == math.inf
    assert found.report().infinite == 1


def test_padding_is_skipped():
    logits, target = batch()
    padded = torch.where(torch.arange(ROWS) % 3 == 0, -100, target)
    logits[0] = torch.nan  # and never looked at
    weight = torch.arange(1.0, ROWS + 1.0)
    found = Metric(ignore_index=-100)
    found.update(logits, padded, weight)
    kept = padded != -100
    truth = np.average(nats(logits[kept], target[kept]), weights=weight[kept].numpy())
    assert float(found.compute()) == pytest.approx(truth, rel=1e-13)
    before = found.state
    found.update(logits[:1], padded[:1])  # nothing but padding
    assert found.state == before
    with pytest.raises(xent.OptionError, match="ignore_index is -100, but target has shape"):
        found.update(logits, torch.full((ROWS, CLASSES), 0.2))


def test_names_are_those_of_the_columns():
    found = fed([(torch.eye(3), torch.tensor([0, 1, 1]))], classes=["cat", "dog", "owl"])
    report = found.report()
    assert [(one.label, one.count) for one in report.by_class] == [("cat", 1), ("dog", 2), ("owl", 0)]
    assert report.worst[0].label == "dog"
    assert found.state.plan.classes == ("cat", "dog", "owl")


def test_reset_and_nothing():
    found = fed([batch()])
    found.reset()
    assert found.state.rows == 0
    assert math.isnan(found.compute())
    with pytest.raises(xent.ShapeError, match="no rows"):
        found.report()
    found.update(torch.zeros(1, 3), torch.tensor([2]))  # classes may be others now
    assert float(found.compute()) == pytest.approx(math.log(3.0), rel=1e-15)


def test_no_gradient_and_no_batch_is_kept():
    logits, target = batch()
    logits.requires_grad_()
    preds = 2.0 * logits
    kept = weakref.ref(preds)
    found = Metric()
    assert not found(preds, target).requires_grad
    assert not found.compute().requires_grad
    del preds
    gc.collect()
    assert kept() is None


class Watched(torch.Tensor):
    """Writes down what is asked of it."""

    asked = []  # noqa: RUF012

    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        cls.asked.append((function.__name__, args[1:] if function.__name__ == "to" else ()))
        return super().__torch_function__(function, types, args, kwargs or {})


def test_a_batch_is_copied_once_however_many_rows_it_has():
    asked = {}
    for rows in (3, 3_000):
        Watched.asked.clear()
        generator = torch.Generator().manual_seed(4)
        preds = torch.randn(rows, CLASSES, generator=generator, dtype=torch.bfloat16)
        fed([(preds.as_subclass(Watched), torch.zeros(rows, dtype=torch.int64).as_subclass(Watched))])
        asked[rows] = list(Watched.asked)
    assert asked[3] == asked[3_000]
    moves = [call for call in asked[3] if call[0] == "to"]
    assert moves == [("to", ("cpu",))] * 2
    before = {name for name, _ in asked[3][: asked[3].index(moves[0])]}
    assert before <= {"__get__", "detach"}  # which do not wait for a device


REFUSED = {
    "out of range": (torch.zeros(2, 3), torch.tensor([0, 3]), None, xent.LabelError, "target row 1 is 3"),
    "nan": (torch.tensor([[0.0, 1.0], [0.0, torch.nan]]), torch.tensor([0, 1]), None, xent.ProbabilityError, "row 1"),
    "rows": (torch.zeros(2, 3), torch.tensor([0]), None, xent.ShapeError, "target has 1 rows and preds 2"),
    "weight": (torch.zeros(2, 3), torch.tensor([0, 1]), -torch.ones(2), xent.WeightError, "sample_weight row 0 is -1"),
    "list": ([[0.0, 1.0]], torch.tensor([0]), None, xent.ArgumentTypeError, "preds is a list.*xent.State"),
    "no axis": (torch.zeros(2, 3), torch.tensor(0), None, xent.ShapeError, r"target has shape \(\)"),
    "half": (torch.zeros(2, 3), torch.zeros(2).half(), None, xent.ArgumentTypeError, "target.*float16"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_refused_leaves_the_rows_as_they_were(name):
    preds, target, weight, error, message = REFUSED[name]
    found = fed([(torch.zeros(1, preds.shape[1] if isinstance(preds, torch.Tensor) else 2), torch.tensor([0]))])
    for add in (found.update, found):
        with pytest.raises(error, match=message):
            add(preds, target, weight)
    assert found.state.rows == 1


def test_options_are_refused_when_it_is_made():
    with pytest.raises(xent.OptionError, match="kind is 'odds'"):
        Metric(["a", "b"], kind="odds")
    with pytest.raises(xent.OptionError, match="name twice"):
        Metric(["a", "a"])


def test_other_columns_in_a_later_batch_are_refused():
    found = fed([batch()])
    with pytest.raises(xent.XentError, match="classes"):
        found.update(torch.zeros(2, 3), torch.tensor([0, 1]))


def test_addition():
    logits, target = batch()
    parts = [fed([(logits[rows], target[rows])], classes=list("abcde")) for rows in (slice(0, 9), slice(9, 200))]
    both = parts[0] + parts[1]
    assert both.state == fed([(logits, target)], classes=list("abcde")).state
    assert parts[0].state.rows == 9
    with pytest.raises(xent.StateError, match="do not fit together"):
        both + fed([(logits, target)], classes=list("abcdf"))
    with pytest.raises(TypeError):
        both + 1


def test_a_checkpoint_is_exact():
    logits, target = batch()
    stored = io.BytesIO()
    torch.save(fed([(logits[:70], target[:70])], classes=list("abcde")).state_dict(), stored)
    stored.seek(0)
    found = Metric(list("abcde"))
    found.load_state_dict(torch.load(stored, weights_only=True))
    found.update(logits[70:], target[70:])
    assert found.state == fed([(logits, target)], classes=list("abcde")).state
    before = found.state
    with pytest.raises(xent.StateError):
        found.load_state_dict(fed([(logits[:, :2], target % 2)]).state_dict())
    assert found.state == before
    assert copy.deepcopy(found).state == before


def test_processes_give_the_bits_of_one(tmp_path):
    results = [tmp_path / f"{rank}.pt" for rank in CUTS]
    running = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(tmp_path / "store"), str(results[rank])],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in CUTS
    ]
    try:
        messages = [process.communicate(timeout=300)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0, 0], messages
    logits, target = batch()
    whole = fed([(logits, target)])
    first = fed([(logits[:90], target[:90])])
    for rank, result in enumerate(results):
        found = torch.load(result)
        assert xent.State.from_json(found["uneven"]) == whole.state
        assert found["loss"] == whole.report().loss
        assert xent.State.from_json(found["one is empty"]) == first.state
        assert xent.State.from_json(found["own"]).rows == (90, 110)[rank]
        assert found["nothing at all"] is True
        assert found["a group of one"] == found["own"]
        assert "classes" in found["refused"]


def one_process(rank, store, result):
    """Write what this process sees of all processes' rows."""
    torch.set_num_threads(1)
    torch.distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=len(CUTS))
    logits, target = batch()
    cuts = CUTS[rank]
    nothing = Metric()
    found = {"nothing at all": math.isnan(nothing.compute())}
    own = fed([(logits[a:b], target[a:b]) for a, b in itertools.pairwise(cuts)])
    found["uneven"] = own.sync().to_json()
    found["loss"] = float(own.compute())
    found["own"] = own.state.to_json()  # which syncing leaves alone
    groups = [torch.distributed.new_group([one]) for one in CUTS]
    alone = Metric(process_group=groups[rank])
    alone.load_state_dict(own.state_dict())
    found["a group of one"] = alone.sync().to_json()
    one = fed([(logits[:90], target[:90])] if rank == 0 else [])
    found["one is empty"] = one.sync().to_json()
    apart = fed([(logits[:, : 3 + rank], target % 3)])
    try:
        apart.compute()
    except xent.StateError as error:
        found["refused"] = str(error)
    torch.save(found, result)
    torch.distributed.destroy_process_group()


if __name__ == "__main__":
    one_process(int(sys.argv[1]), *sys.argv[2:])
