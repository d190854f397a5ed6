"""The same answer from every engine, whatever happens to its workers."""

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from xent_trouble import TroubledEngine, squared, together

import xent
from xent.engines import contract
from xent.engines.local import Local
from xent.errors import EngineError, ProbabilityError
from xent.kernels import choice

pytestmark = pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning")
CASES = {
    "row groups": ("part*.parquet", {"group": "country", "cluster": "user", "sample_weight": "weight"}),
    "halves": ("part0.parquet", {"holdout": True}),
    "byte ranges": ("part*.csv", {"classes": ["c", "a", "b"], "brief": True}),
    "a file that is not cut": ("one.arrow", {"brief": True, "prediction": "p_a,p_b,p_c", "unit": "bits"}),
}


class Told:
    """A progress callback that keeps what it is told, which may be one thing at a time."""

    rows, fragments_done, busy = 0, None, False

    @contextlib.contextmanager
    def alone(self):
        assert not self.busy
        self.busy = True
        time.sleep(0.001)
        yield
        self.busy = False

    def __call__(self, rows):
        with self.alone():
            self.rows += rows

    def fragments(self, done, total):
        with self.alone():
            self.fragments_done = done, total


@pytest.mark.parametrize("case", CASES)
def test_every_engine_gives_the_same_bits(engine, case, folder, within):
    pattern, options = CASES[case]
    expected = xent.scan(folder / pattern, workers=1, **options)
    told = Told()
    found = within(90, xent.scan, folder / pattern, engine=engine, progress=told, **options)
    assert found.json() == expected.json()
    assert found.rows > 0
    done, total = told.fragments_done
    assert done == total
    assert told.rows >= found.rows


def test_fragments_are_several(folder):
    """Else the tests above would show nothing."""
    from xent.sources.files import open_files

    columns = ["label", "p_a", "p_b", "p_c"]
    assert len(list(open_files([folder / "part*.parquet"]).fragments(columns))) > contract.FAN_IN
    assert len(list(open_files([folder / "part*.csv"], settle=False).fragments(columns))) > 6


@pytest.mark.parametrize(
    ("numba", "brief", "names"),
    [(True, False, {"xent_0", "xent_1"}), (False, True, {"xent_0", "xent_1"}), (False, False, {"MainThread"})],
)
def test_threads_read_side_by_side_where_they_rarely_wait_for_the_interpreter(numba, brief, names, folder, monkeypatch):
    monkeypatch.setattr(choice, "numba_installed", lambda: numba)
    monkeypatch.setattr(choice, "available_cpus", lambda: 2)
    seen = set()
    options = {"classes": ["a", "b", "c"], "workers": 2, "brief": brief}
    xent.scan(folder / "part*.parquet", progress=lambda _: seen.add(threading.current_thread().name), **options)
    assert seen == names


def test_results_are_merged_before_they_come(engine, within, monkeypatch):
    monkeypatch.setattr(contract, "MOST_TASKS", 60)
    results = within(90, lambda: list(contract.each_once(engine.run(squared, range(400), together), 400)))
    assert sum(total for _, (_, total) in results) == sum(number**2 for number in range(400))
    assert all(set(indices) == numbers for indices, (numbers, _) in results)
    if not isinstance(engine, Local):
        assert len(results) <= 4  # of 40 to 60 tasks


def test_a_worker_is_killed_in_mid_job(other_processes, folder, tmp_path, within):
    pattern, options = CASES["byte ranges"]
    expected = xent.scan(folder / pattern, workers=1, **options)
    name = f"{folder}/part1.csv"
    troubled = TroubledEngine(other_processes, _second_fragment(folder / "part1.csv"), "waits to be killed", tmp_path)
    killed = []

    def kill():
        deadline = time.monotonic() + 60
        while not (files := list(tmp_path.iterdir())) or not (text := files[0].read_text()):
            assert time.monotonic() < deadline, f"nobody reads {name}"
            time.sleep(0.05)
        os.kill(int(text), signal.SIGKILL)
        killed.append(int(text))

    thread = threading.Thread(target=kill, daemon=True)
    thread.start()
    found = within(110, xent.scan, folder / pattern, engine=troubled, **options)
    thread.join(1)
    assert killed
    assert killed[0] != os.getpid()
    assert len(list(tmp_path.iterdir())) >= 2  # it was tried again
    assert found.json() == expected.json()


def _second_fragment(path):
    from xent.sources.files import open_files

    return list(open_files([path], settle=False).fragments(["label", "p_a", "p_b", "p_c"]))[1].name


@pytest.mark.parametrize("how", ["raises", "dies"])
def test_a_fragment_that_always_fails_is_named(other_processes, how, folder, tmp_path, within):
    name = _second_fragment(folder / "part1.csv")
    troubled = TroubledEngine(other_processes, name, how, tmp_path)
    with pytest.raises(EngineError) as error:
        within(110, xent.scan, folder / "part*.csv", engine=troubled, brief=True)
    assert name in str(error.value)
    assert ("the disk is on fire" in str(error.value)) == (how == "raises")
    assert "part0" not in str(error.value)
    assert len(list(tmp_path.iterdir())) <= 10


def test_a_thread_that_fails_names_the_fragment(folder, tmp_path):
    name = _second_fragment(folder / "part1.csv")
    troubled = TroubledEngine(Local(2), name, "raises", tmp_path)
    with pytest.raises(OSError, match="the disk is on fire") as error:
        xent.scan(folder / "part*.csv", engine=troubled, brief=True)
    assert name in "".join(error.value.__notes__)


def test_bad_rows_are_refused_as_they_are_here_and_not_read_again(engine, tmp_path, within):
    p = np.tile([0.25, 0.75], (4000, 1))
    p[3456, 1] = np.nan
    table = pa.table({"label": np.arange(4000) % 2, "p_0": p[:, 0], "p_1": p[:, 1]})
    pq.write_table(table, tmp_path / "bad.parquet", row_group_size=500)
    marks = tmp_path / "marks"
    marks.mkdir()
    with pytest.raises(ProbabilityError) as expected:
        xent.scan(tmp_path / "bad.parquet", workers=1)
    with pytest.raises(ProbabilityError) as error:
        within(90, xent.scan, tmp_path / "bad.parquet", engine=TroubledEngine(engine, "none", "raises", marks))
    assert str(error.value) == str(expected.value)
    assert "row 3456" in str(error.value)


def test_a_script_without_a_guard_is_told_to_have_one(folder, tmp_path):
    script = tmp_path / "unguarded.py"
    call = f"xent.scan({str(folder / 'part*.parquet')!r}, engine='processes', workers=2)"
    script.write_text(f"import xent\nprint({call}.rows)\n")
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert found.returncode == 1
    assert 'must stand under if __name__ == "__main__"' in found.stderr.splitlines()[-2]
    script.write_text(f"import xent\nif __name__ == '__main__':\n    print({call}.rows)\n")
    found = subprocess.run([sys.executable, script], capture_output=True, text=True, timeout=120)
    assert (found.returncode, found.stderr) == (0, "")
    assert int(found.stdout) > 0
