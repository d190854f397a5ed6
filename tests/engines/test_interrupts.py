"""Ctrl-C while processes start, wait and work: it ends them all, and one line says so."""

import os
import signal
import subprocess
import sys
import threading
import time
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from xent.engines.interrupts import interrupts_wait
from xent.engines.local import Local, _ordered
from xent.errors import EngineError

in_proc = pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="children are found in /proc")


@pytest.fixture(autouse=True)
def usual_interrupts():
    """Spark, where another test has started it in this process, hears them itself."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    found = tmp_path_factory.mktemp("interrupted")
    random = np.random.default_rng(0)
    for name in "abc":
        p = random.uniform(0.01, 0.99, 300_000)
        pd.DataFrame({"label": (random.random(len(p)) < p).astype(int), "p": p}).to_csv(
            found / f"{name}.csv", index=False
        )
    return found


def children(pid):
    return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_for(found):
    """What is found once there is something."""
    deadline = time.monotonic() + 30
    while not (value := found()):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return value


@in_proc
@pytest.mark.parametrize("again", [False, True], ids=["once", "twice"])
@pytest.mark.parametrize("later", [0.0, 0.05, 0.2, 0.5, 1.0, 1.5])
def test_processes_end_without_a_word(folder, later, again):
    command = "import xent.cli; xent.cli.script()"
    started = subprocess.Popen(
        [sys.executable, "-c", command, "score", "a.csv", "b.csv", "c.csv", "--engine", "processes", "--workers", "3"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    while started.poll() is None and len(children(started.pid)) < 2:  # the server, and who cleans up behind all
        time.sleep(0.002)
    time.sleep(later)
    os.killpg(started.pid, signal.SIGINT)
    if again:
        time.sleep(0.1)
        os.killpg(started.pid, signal.SIGINT)
    _, said = started.communicate(timeout=60)
    if again:  # it may come while the first is answered
        assert started.returncode in (130, -signal.SIGINT, 0)
    else:
        assert (started.returncode, said) in [(130, "xent: interrupted\n"), (0, "")]


@in_proc
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_no_process_outlives_the_one_that_asks(folder, number):
    started = subprocess.Popen(
        [sys.executable, "-c", "import xent.cli; xent.cli.script()", "score", "a.csv", "b.csv", "c.csv", "--group", "label",
         "--engine", "processes", "--workers", "3"],
        cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    wait_for(lambda: [pid for pid in children(started.pid) if len(children(pid)) == 3])
    time.sleep(0.2)
    started.send_signal(number)
    started.communicate(timeout=20)  # until all have closed what they could write to
    assert started.returncode == -number


@pytest.mark.parametrize(
    "error", [EOFError("unexpected EOF"), OSError("no more processes")], ids=lambda one: type(one).__name__
)
def test_processes_that_cannot_be_started_are_an_error_of_the_engine(error, monkeypatch):
    def fail(*_):
        raise error

    monkeypatch.setattr(ProcessPoolExecutor, "submit", fail)
    with pytest.raises(EngineError, match=rf"no process could be started: {type(error).__name__}: {error}"):
        next(Local(7, processes=True).run(abs, [-1, -2], sum))


def test_an_interrupt_that_waits_is_heard_in_the_end():
    done = []
    with pytest.raises(KeyboardInterrupt), interrupts_wait():  # noqa: PT012
        signal.raise_signal(signal.SIGINT)
        done.append("all")
    assert done == ["all"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_waits_until_work_is_handed_over():
    done = []

    class Interrupted(ThreadPoolExecutor):
        def submit(self, *args):
            signal.raise_signal(signal.SIGINT)  # as while a process is half started
            done.append(super().submit(*args))
            return done[-1]

    with Interrupted(1) as pool, pytest.raises(KeyboardInterrupt):
        list(_ordered(pool, 1, sum, [-1, -2], [range(1), range(1, 2)]))
    assert len(done) == 1
    assert done[0].done()


def test_other_threads_leave_signals_alone():
    heard = []

    def look():
        with interrupts_wait():
            heard.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert heard == [signal.default_int_handler]
