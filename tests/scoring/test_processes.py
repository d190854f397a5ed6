"""`State.all_reduce`: in every process the bits of one process with all rows.

Run as a script, this file is one process: `test_processes.py RANK SIZE STORE RESULT`.
"""

import json
import subprocess
import sys
from functools import reduce
from itertools import pairwise
from operator import add
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import distributed

import xent
from xent import State
from xent.scoring.cluster_sums import ClusterSums
from xent.scoring.processes import _device
from xent.scoring.state_limbs import common_layout, from_limbs, layout_of, to_limbs
from xent.scoring.sums import MEAN_FIELDS, Sums

CLASSES = ["ant", "bee", "cat", "dog"]
SIZES = {
    2: [0, 700, 1000],
    4: [0, 700, 701, 1000, 1000],
}  # where the rows of each process begin; the last of 4 has none
KEYED = {
    "group": lambda rows: [f"county {i % 7}" for i in rows],
    "cluster": lambda rows: [i // 3 for i in rows],
}


def rows_of(rows, labels="one", weighted=True):
    """Some labels, predictions and weights: of any size, some costing infinity."""
    r = np.random.default_rng(0)
    p = r.dirichlet(np.full(4, 0.1), 1000)
    p[::50] = [0.0, 1.0, 0.0, 0.0]
    weight = r.choice([0.0, 0.1, 1.0, 1e-90, 1e90], 1000)
    label = np.array(CLASSES)[r.integers(0, 4, 1000)]
    soft = r.dirichlet(np.ones(4), 1000)
    return {"one": label, "soft": soft}[labels][rows], p[rows], weight[rows] if weighted else None


def state_of(case, start, stop):
    """The state of some rows in each of the cases."""
    rows = range(start, stop)
    labels, p, weight = rows_of(slice(start, stop), "soft" if case == "soft labels" else "one", case != "keyed")
    options = {
        "weighted": {"top": 3},
        "brief": {"brief": True, "unit": "bits"},
        "soft labels": {"normalize": True},
        "keyed": {},
        "few": {},
        "blank": {"kind": "logits"},
    }[case]
    if case == "few":
        rows = rows[::10]
        labels, p, weight = labels[::10], p[::10], None
    if case == "blank":
        found = State(**options)
        return found.update(np.searchsorted(CLASSES, labels), np.log(p + 0.01)) if rows else found
    keys = {name: make(rows) for name, make in KEYED.items()} if case == "keyed" else {}
    found = State(CLASSES, **options)
    return found.update(labels, p, sample_weight=weight, first_row=start, **keys) if rows else found


CASES = ["weighted", "brief", "soft labels", "keyed", "few", "blank"]


@pytest.fixture(scope="module", params=SIZES, ids="{} processes".format)
def found(request, tmp_path_factory):
    """What each process wrote."""
    size, folder = request.param, tmp_path_factory.mktemp("processes")
    results = [folder / f"{rank}.json" for rank in range(size)]
    running = [
        subprocess.Popen(
            [sys.executable, __file__, str(rank), str(size), str(folder / "store"), str(result)],
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank, result in enumerate(results)
    ]
    try:
        messages = [process.communicate(timeout=240)[1] for process in running]
    finally:
        for process in running:
            process.kill()
    assert [process.returncode for process in running] == [0] * size, messages
    return [json.loads(result.read_text()) for result in results]


@pytest.mark.parametrize("case", CASES)
def test_every_process_has_the_bits_of_one(found, case):
    whole = state_of(case, 0, 1000)
    if case == "few":
        starts = SIZES[len(found)]
        whole = reduce(add, (state_of(case, *pair) for pair in pairwise(starts)))
        assert len(whole.sums.few) == whole.rows < 200
    if case == "keyed":
        assert len(whole.sums.groups) == 7
        assert len(whole.sums.clusters) > 300
    for one in found:
        again = State.from_json(one[case])
        assert again == whole
        assert again.unit == whole.unit
        assert one[case] == whole.to_json()
        assert one[f"{case}, before"] == one[f"{case}, after"]


def test_blank_in_every_process_is_blank(found):
    for one in found:
        assert State.from_json(one["blank everywhere"]) == State(kind="logits")


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("other classes", r"process {last} of the group does not fit .*: classes .*'emu'"),
        ("other options", r"process {last} of the group does not fit .*: clip None and 0.1"),
        ("half keyed", r"process {last} of the group does not fit .*: some rows have a group"),
        ("other blank", r"process {last} of the group does not fit .*: both are blank"),
    ],
)
def test_a_misfit_is_refused_by_every_process(found, case, said):
    assert len({one[case] for one in found}) == 1
    with pytest.raises(xent.StateError, match=said.format(last=len(found) - 1)):
        raise xent.StateError(found[0][case])


def test_a_group_is_of_its_own_processes_alone(found):
    starts = SIZES[len(found)]
    first, last = state_of("weighted", *starts[:2]), state_of("weighted", *starts[-2:])
    for rank, one in enumerate(found):
        if rank in (0, len(found) - 1):
            assert State.from_json(one["group"]) == first + last
        else:
            assert "without this process" in one["group"]
        assert one["alone"] == one["weighted, before"]


def one_process(rank, size, store, result):
    """Write what this process gets."""
    torch.set_num_threads(1)
    distributed.init_process_group("gloo", init_method=f"file://{store}", rank=rank, world_size=size)
    start, stop = SIZES[size][rank : rank + 2]
    out, last = {}, rank == size - 1
    for case in CASES:
        own = state_of(case, start, stop)
        out[f"{case}, before"] = own.to_json()
        out[case] = own.all_reduce().to_json()
        out[f"{case}, after"] = own.to_json()
    out["blank everywhere"] = State(kind="logits").all_reduce().to_json()
    keyed, bare = state_of("keyed", 0, 9), state_of("few", 0, 90)
    apart = {
        "other classes": State([*CLASSES[:3], "emu"] if last else CLASSES),
        "other options": State(CLASSES, clip=0.1 if last else None),
        "half keyed": bare if last else keyed,
        "other blank": State(kind="probabilities" if last else "logits"),
    }
    groups = [distributed.new_group([0, size - 1]), *(distributed.new_group([one]) for one in range(size))]
    own = state_of("weighted", start, stop)
    tried = {name: (state, None) for name, state in apart.items()}
    for name, (state, group) in {**tried, "group": (own, groups[0]), "alone": (own, groups[1 + rank])}.items():
        try:
            out[name] = state.all_reduce(group).to_json()
        except xent.XentError as error:
            out[name] = str(error)
    with open(result, "w") as file:
        json.dump(out, file)
    distributed.destroy_process_group()


def test_without_processes_it_is_a_copy():
    state = State([0, 1]).update([0, 1], [0.2, 0.7])
    found = state.all_reduce()
    assert found == state
    found.update([1], [0.5])
    assert state.rows == 2


def test_without_torch_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    with pytest.raises(xent.MissingPackageError, match=r"xent\[torch\]"):
        State([0, 1]).all_reduce()


def test_numbers_are_where_the_group_adds_them(monkeypatch):
    monkeypatch.setattr(torch, "get_device_module", lambda _: SimpleNamespace(current_device=lambda: 3))
    assert _device("cuda:nccl") == torch.device("cuda", 3)
    assert _device("cpu:gloo,cuda:nccl") == torch.device("cpu")


numbers = st.one_of(st.integers(), st.integers(-(1 << 3000), 1 << 3000), st.integers(1, 9).map(lambda x: x << 1074))
keys = st.sampled_from(["[1]", "[2]", '["x"]'])
entries = st.tuples(numbers, numbers, st.integers(0, 1 << 40))  # of a cluster


@st.composite
def any_sums(draw):
    return Sums(
        rows=200 + draw(st.integers(0, 1 << 60)),
        loss=draw(numbers),
        hits=draw(numbers),
        moments=draw(st.dictionaries(st.integers(-9, 9), numbers.filter(bool), max_size=5)),
        bin_rows=draw(st.dictionaries(st.integers(-400, 9), st.integers(1, 1 << 50), max_size=5)),
        groups=draw(st.dictionaries(keys, st.tuples(*[numbers] * len(MEAN_FIELDS)), max_size=3)),
        clusters=ClusterSums.of(draw(st.dictionaries(keys, entries, max_size=3))),
    )


@given(parts=st.lists(any_sums(), min_size=1, max_size=4))
def test_limbs_add_up_as_the_numbers_do(parts):
    layout = common_layout([layout_of(part) for part in parts])
    added = sum(to_limbs(part, layout) for part in parts)
    assert Sums(**from_limbs(added, layout)) == Sums.gather(parts)


@given(value=st.integers(1 << 500, 1 << 600), sign=st.sampled_from([-1, 1]))
def test_limbs_of_eight_million_processes_do_not_overflow(value, sign):
    processes = (1 << 23) - 1
    sums = Sums(rows=200, loss=sign * value, moments={3: -sign * ((1 << 600) - 1)})
    layout = layout_of(sums)
    found = from_limbs(to_limbs(sums, layout) * processes, layout)
    assert found["loss"] == sign * value * processes
    assert found["moments"] == {3: -sign * ((1 << 600) - 1) * processes}


if __name__ == "__main__":
    one_process(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
