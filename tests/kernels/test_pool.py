"""The thread pool: every row once, whoever calls it and from wherever, and never a deadlock."""

import subprocess
import sys
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import xent
from xent.autodiff import arrays, linear_kept, linear_passes, sigmoid_arrays
from xent.autodiff import numpy as numpy_adapter
from xent.kernels import pool

PATIENCE = 60.0  # seconds; what takes longer is a deadlock
MANY = 20 * pool.GRAIN  # numbers, enough for many ranges


def within_patience(*functions):
    """Run the functions, each in a thread; fail where one raises or never ends."""
    failures = []

    def run(function):
        try:
            function()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run, args=(function,), daemon=True) for function in functions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "deadlock"
    if failures:
        raise failures[0]


def run_script(script):
    """In a process of its own, which says where it stands if it takes too long."""
    watch = f"import faulthandler\nfaulthandler.dump_traceback_later({PATIENCE}, exit=True)\n"
    done = subprocess.run([sys.executable, "-c", watch + script], capture_output=True, text=True, timeout=2 * PATIENCE)
    assert done.returncode == 0, done.stderr
    return done.stdout


# --- ranges ------------------------------------------------------------------------------------------------


@given(rows=st.integers(0, 3_000), numbers=st.integers(0, 40), threads=st.integers(1, 9))
def test_all_rows_are_visited_once(rows, numbers, threads):
    visits, lock = np.zeros(rows, int), threading.Lock()

    def work(first, last):
        with lock:
            visits[first:last] += 1

    within_patience(lambda: pool.over_ranges(work, rows, numbers * pool.GRAIN, threads))
    assert (visits == 1).all()


def test_little_work_stays_in_the_callers_thread():
    seen = []
    pool.over_ranges(lambda first, last: seen.append((first, last, threading.current_thread())), 100, 100, 8)
    assert seen == [(0, 100, threading.current_thread())]


def test_threads_work_at_the_same_time():
    meeting, names = threading.Barrier(3, timeout=PATIENCE), set()

    def work(first, _):
        names.add(threading.current_thread().name)
        if first < 3:
            meeting.wait()

    within_patience(lambda: pool.over_ranges(work, 20, MANY, 3))
    assert len(names) == 3


def test_no_more_threads_than_asked_for_work_at_once():
    lock, busy, most = threading.Lock(), [0], [0]

    def work(*_):
        with lock:
            busy[0] += 1
            most[0] = max(most[0], busy[0])
        threading.Event().wait(0.002)
        with lock:
            busy[0] -= 1

    pool.over_ranges(work, 20, MANY, 2)
    assert most[0] <= 2


# --- errors --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("threads", [1, 2, 5])
@pytest.mark.parametrize("bad", [0, 7, 19])
def test_errors_reach_the_caller(threads, bad):
    def work(first, last):
        if first <= bad < last:
            raise ArithmeticError(bad)

    def all_rows():
        with pytest.raises(ArithmeticError, match=str(bad)):
            pool.over_ranges(work, 20, MANY, threads)

    within_patience(all_rows)
    test_threads_work_at_the_same_time()


@pytest.mark.parametrize("in_caller", [True, False])
def test_no_thread_works_on_after_an_error(in_caller):
    """The caller may free its arrays, or fill them with something else."""
    caller, begun, ended = threading.current_thread(), [], []
    other_has_begun = threading.Event()

    def work(first, _):
        mine = threading.current_thread() is caller
        if mine:
            other_has_begun.wait(PATIENCE)
        begun.append(first)
        other_has_begun.set()
        if mine == in_caller:
            raise ArithmeticError
        threading.Event().wait(0.05)
        ended.append(first)

    with pytest.raises(ArithmeticError):
        pool.over_ranges(work, 20, MANY, 2)
    count = len(begun)
    assert len(ended) == count - 1
    threading.Event().wait(0.15)
    assert len(begun) == count


# --- calls within calls, and beside each other ------------------------------------------------------------------


def nested(depth, lock, counts):
    def work(first, last):
        for _ in range(first, last):
            if depth:
                nested(depth - 1, lock, counts)
            else:
                with lock:
                    counts[0] += 1

    pool.over_ranges(work, 6, MANY, 3)


def test_calls_may_be_nested():
    lock, counts = threading.Lock(), [0]
    within_patience(lambda: nested(3, lock, counts))
    assert counts == [6**4]


def test_calls_may_be_nested_in_many_threads_at_once():
    lock, counts = threading.Lock(), [0]
    within_patience(*[lambda: nested(2, lock, counts) for _ in range(6)])
    assert counts == [6 * 6**3]


def big_rows(seed):
    random = np.random.default_rng(seed)
    logits = random.normal(size=(3 * pool.GRAIN // 100, 101)).astype(np.float32)
    return logits, random.integers(0, 101, len(logits))


def test_many_python_threads_get_the_right_losses(monkeypatch):
    monkeypatch.setattr(numpy_adapter, "available_cpus", lambda: 3)
    inputs = [big_rows(seed) for seed in range(6)]
    expected = [xent.softmax_cross_entropy(*rows) for rows in inputs]

    def several_times(rows, loss):
        for _ in range(3):
            assert xent.softmax_cross_entropy(*rows) == loss
            logits = torch.tensor(rows[0], requires_grad=True)
            xent.softmax_cross_entropy(logits, torch.tensor(rows[1])).backward()
            assert abs(float(logits.grad.sum())) < 1e-3

    within_patience(
        *[lambda rows=rows, loss=loss: several_times(rows, loss) for rows, loss in zip(inputs, expected, strict=True)]
    )


# --- forks, loader workers, autograd, the end of the program -----------------------------------------------------


START = """
import os, signal, threading
import numpy as np, xent
from xent.autodiff import numpy as numpy_adapter
from xent.kernels import pool
numpy_adapter.available_cpus = lambda: 3
logits = np.random.default_rng(0).normal(size=(3 * pool.GRAIN // 100, 101)).astype(np.float32)
labels = np.zeros(len(logits), np.int64)
loss = xent.softmax_cross_entropy(logits, labels)
assert pool._pools

def in_child(compute):
    child = os.fork()
    if child == 0:
        signal.alarm(20)  # ends a child that waits for ever
        os._exit(0 if compute() == loss else 3)
    return child

def wait_for(children):
    assert [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children] == [0] * len(children)
"""

FORK = """
compute = lambda: xent.softmax_cross_entropy(logits, labels)
wait_for([in_child(compute)])
assert compute() == loss
wait_for([in_child(lambda: wait_for([in_child(compute)]) or compute())])  # a child's child
"""

FORK_WHILE_OTHERS_COMPUTE = """
compute = lambda: xent.softmax_cross_entropy(logits, labels)
stop = threading.Event()

def busy():
    while not stop.is_set():
        assert compute() == loss

others = [threading.Thread(target=busy) for _ in range(3)]
for other in others:
    other.start()
for _ in range(8):
    wait_for([in_child(compute)])
stop.set()
for other in others:
    other.join()
"""

FORK_WITH_TORCH = """
import torch
torch.set_num_threads(3)

def compute():
    given = torch.from_numpy(logits.copy()).requires_grad_()  # a copy by PyTorch's own threads would not survive a fork
    found = xent.softmax_cross_entropy(given, torch.from_numpy(labels))
    found.backward()
    assert abs(given.grad.numpy().sum()) < 1e-3
    return found.item()

loss = compute()
wait_for([in_child(compute)])
"""


@pytest.mark.parametrize("script", [FORK, FORK_WHILE_OTHERS_COMPUTE, FORK_WITH_TORCH])
def test_a_forked_child_computes_losses(script):
    run_script(START + script)


LOADER = """
import torch
torch.set_num_threads(3)

class Losses(torch.utils.data.Dataset):
    def __len__(self):
        return 2

    def __getitem__(self, index):
        torch.set_num_threads(2)  # a worker starts with one
        given = torch.from_numpy(logits).requires_grad_()
        found = xent.softmax_cross_entropy(given, torch.from_numpy(labels))
        found.backward()
        return found.item(), xent.softmax_cross_entropy(logits, labels).item(), given.grad.numpy()[index, 0].item()

(first,), (second,) = ([item] for item in torch.utils.data.DataLoader(Losses(), num_workers=1, batch_size=None))
for value, same, slope in (first, second):
    assert abs(value - loss) < 1e-5 and same == loss.item() and slope < 0.0, (value, same, slope, loss)
"""


def test_losses_are_computed_in_a_loader_worker():
    run_script(START + LOADER)


AFTER_THE_MAIN_THREAD = """
def late():
    threading.main_thread().join()
    assert xent.softmax_cross_entropy(logits, labels) == loss
    print("done")

threading.Thread(target=late).start()
"""

AT_EXIT = """
import atexit
atexit.register(lambda: print("done" if xent.softmax_cross_entropy(logits, labels) == loss else "wrong"))
"""


@pytest.mark.parametrize("script", [AFTER_THE_MAIN_THREAD, AT_EXIT])
def test_losses_are_computed_after_the_main_thread_has_ended(script):
    assert run_script(START + script) == "done\n"


class LossInBackward(torch.autograd.Function):
    """The identity, whose way back computes a loss and its gradient."""

    @staticmethod
    def forward(ctx, x, logits, labels):
        ctx.save_for_backward(logits, labels)
        return x.clone()

    @staticmethod
    def backward(ctx, on):
        logits, labels = ctx.saved_tensors
        with torch.enable_grad():
            logits = logits.detach().requires_grad_()
            xent.softmax_cross_entropy(logits, labels).backward()
        return on * logits.grad[0, 0], None, None


def test_a_loss_is_computed_inside_of_a_backward_pass():
    logits, labels = map(torch.from_numpy, big_rows(0))
    given = logits.clone().requires_grad_()
    xent.softmax_cross_entropy(given, labels).backward()
    x = torch.ones((), requires_grad=True)
    within_patience(lambda: LossInBackward.apply(x, logits, labels).backward())
    assert x.grad == given.grad[0, 0]


# --- in turn -----------------------------------------------------------------------------------------------


@given(data=st.data(), count=st.integers(0, 60), threads=st.integers(1, 6))
def test_each_item_comes_once_and_after_those_it_names(data, count, threads):
    """Names that there are none of are waited for by no one."""
    done, wrong = [], []

    def item(number, after):
        def work():
            wrong.extend(other for other in after if other >= 0 and other not in done)
            done.append(number)

        return pool.Item(work, after)

    afters = [data.draw(st.lists(st.integers(-3, number - 1), max_size=3)) for number in range(count)]
    within_patience(lambda: pool.in_turn({i: item(i, after) for i, after in enumerate(afters)}, threads))
    assert sorted(done) == list(range(count))
    assert not wrong


@pytest.mark.parametrize("failing", [0, 1, 7])
def test_an_error_in_turn_ends_all(failing):
    """No one waits for what will not come, and nothing that waited for it is begun."""
    done = []

    def item(number):
        def work():
            if number == failing:
                raise MemoryError(number)
            done.append(number)

        return pool.Item(work, [number - 1])

    def all_of_them():
        with pytest.raises(MemoryError):
            pool.in_turn({number: item(number) for number in range(30)}, 4)

    within_patience(all_of_them)
    assert done == list(range(failing))


# --- how many threads ----------------------------------------------------------------------------------------------


@pytest.fixture
def threads_used(monkeypatch):
    """The numbers of threads that work was asked to be done on."""
    used, before, over_ranges = [], torch.get_num_threads(), arrays.over_ranges

    def recorded(work, rows, numbers, threads):
        used.append(threads)
        over_ranges(work, rows, numbers, threads)

    for module in (arrays, linear_kept, linear_passes, sigmoid_arrays):
        monkeypatch.setattr(module, "over_ranges", recorded)
    yield used
    torch.set_num_threads(before)


@pytest.mark.parametrize("threads", [1, 3])
def test_torch_says_how_many_threads(threads_used, threads):
    torch.set_num_threads(threads)
    logits, labels = torch.zeros(20, 7, requires_grad=True), torch.zeros(20, dtype=torch.int64)
    features, weight = torch.zeros(20, 5, requires_grad=True), torch.zeros(7, 5, requires_grad=True)
    xent.softmax_cross_entropy(logits, labels).backward()
    xent.softmax_cross_entropy(logits, labels, reduction="none").sum().backward()
    xent.sigmoid_cross_entropy(logits, torch.zeros(20, 7)).backward()
    xent.linear_cross_entropy(features, weight, labels).backward()
    sum(part.sum() for part in xent.linear_row_statistics(features, weight, labels, entropy=True)).backward()
    assert len(threads_used) > 8
    assert set(threads_used) == {threads}


def test_numpy_uses_the_cpus_it_may_use(threads_used):
    xent.softmax_cross_entropy(np.zeros((20, 7)), np.zeros(20, int))
    assert threads_used == [pool.available_cpus()]
