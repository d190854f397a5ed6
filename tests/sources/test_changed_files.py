"""Files that are written to while they are read: no report of two versions, and no state that goes on from one."""

import os
import shutil

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest

import xent
from xent.errors import SourceError, StateError
from xent.scoring import data

ROWS = 6_000


def written(name, flipped, rows=ROWS):
    random = np.random.default_rng(0)
    p = random.random(rows)
    table = pa.table({"label": (random.random(rows) < p).astype(int), "p": 1 - p if flipped else p})
    if name.endswith(".parquet"):
        pa.parquet.write_table(table, name, row_group_size=500)
    else:
        pa.csv.write_csv(table, name)


class Rewriter:
    """Puts another version in the place of a file once some of it was read."""

    def __init__(self, name, how, after=2):
        self.name, self.how, self.after, self.told = name, how, after, 0

    def __call__(self, _):
        self.told += 1
        if self.told != self.after:
            return
        if self.how == "gone":
            os.unlink(self.name)
        elif self.how == "replaced":
            os.replace(f"other-{self.name}", self.name)
        elif self.how == "in place":
            shutil.copyfile(f"other-{self.name}", self.name)
        elif self.how == "longer":
            with open(self.name, "ab") as file:
                file.write(b"1,0.5\n")


@pytest.fixture(autouse=True)
def small(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", 10_000)


@pytest.mark.parametrize("engine", ["local", "processes"])
@pytest.mark.parametrize(
    ("name", "how"),
    [
        ("a.parquet", "replaced"),
        ("a.parquet", "gone"),
        ("a.csv", "replaced"),
        ("a.csv", "in place"),
        ("a.csv", "longer"),
    ],
)
def test_a_file_that_changes_while_it_is_read_is_refused(name, how, engine):
    for state in (None, "a.state"):
        written(name, flipped=False)
        os.utime(name, ns=(10**18, 10**18))
        written(f"other-{name}", flipped=True)
        what = "is gone" if how == "gone" else "has been written to"
        with pytest.raises(SourceError, match=rf"^{name} {what} since it was opened"):
            xent.scan(name, engine=engine, workers=1, brief=True, state=state, progress=Rewriter(name, how))
    written(name, flipped=True)
    with pytest.raises(StateError, match=f"has rows of {name}, which has changed since"):
        xent.scan(name, brief=True, state="a.state", resume=True)
    assert xent.scan(name, brief=True, state="a.state") == xent.scan(name, brief=True)


def test_a_state_says_of_which_version_it_is():
    """So that nothing goes on from it once another is in its place."""
    written("a.csv", flipped=False)
    os.utime("a.csv", ns=(10**18, 10**18))
    first = xent.scan("a.csv", brief=True, state="a.state")
    written("a.csv", flipped=True)
    os.utime("a.csv", ns=(2 * 10**18, 2 * 10**18))
    with pytest.raises(StateError, match=r"has rows of a.csv, which has changed since"):
        xent.scan("a.csv", brief=True, state="a.state", resume=True)
    assert xent.read_state("a.state").report().loss == first.loss


def test_files_that_are_compared_must_not_change_either():
    written("a.csv", flipped=False)
    written("b.csv", flipped=True)
    written("other-a.csv", flipped=True)
    with pytest.raises(SourceError, match=r"^a.csv has been written to since it was opened"):
        xent.compare("a.csv", "b.csv", progress=Rewriter("a.csv", "replaced", after=1))
