"""Scans that are stopped and go on, states in files, parts scored apart, and files that cannot be read."""

import contextlib
import inspect
import json
import os
import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import xent
from xent.cli import main
from xent.engines.local import Local
from xent.errors import OptionError, ProbabilityError, SourceError, StateError, UnsavedError
from xent.scoring import checkpoint, data, side_by_side
from xent.scoring.state_files import read_state, saved_state, write_state
from xent.sources import open_files
from xent.sources.writing import TableWriter

ROWS = 6_000


def table(rows=ROWS, seed=0):
    random = np.random.default_rng(seed)
    p = random.dirichlet([1, 2, 3], rows)
    label = np.array([random.choice(3, p=row) for row in p])
    columns = {"label": label, "document": np.arange(rows) // 7, "country": np.array(list("abcd"))[np.arange(rows) % 4]}
    return pa.table(columns | {f"p_{j}": p[:, j] for j in range(3)})


@pytest.fixture
def parts(tmp_path, monkeypatch):
    """Three files, and fragments so small that each is cut into several."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    whole = table()
    for i in range(3):
        part = whole.slice(i * ROWS // 3, ROWS // 3)
        pa.parquet.write_table(part, f"part-{i}.parquet", row_group_size=250, write_page_checksum=True)
    return [f"part-{i}.parquet" for i in range(3)]


class Stop(Exception):
    """Somebody pulled the plug."""


class Told:
    """A progress callback that keeps what it is told."""

    def __init__(self):
        self.rows, self.done = [], []

    def __call__(self, rows):
        self.rows.append(rows)

    def fragments(self, done, total):
        self.done.append((done, total))


def stopper(rows):
    """A progress callback that stops the scan once so many rows were read."""
    read = [0]

    def told(more):
        read[0] += more
        if read[0] >= rows:
            raise Stop

    return told


def test_files_are_cut_and_nobody_sees_it(parts):
    assert len(list(open_files(parts).fragments(["p_0", "p_1", "p_2"], 20_000))) >= 2 * len(parts)
    found = xent.scan("part-*.parquet", group="country", cluster="document")
    whole = pa.concat_tables([pa.parquet.read_table(part) for part in parts])
    truth = xent.evaluate(
        whole["label"], whole.select(["p_0", "p_1", "p_2"]), group=whole["country"], cluster=whole["document"]
    )
    assert (found.loss, found.interval, found.by_class, found.by_group) == (
        truth.loss, truth.interval, truth.by_class, truth.by_group,
    )  # fmt: skip
    assert [(row.index, row.source) for row in found.worst] == [
        (row.index % (ROWS // 3), f"part-{row.index // (ROWS // 3)}.parquet") for row in truth.worst
    ]


@pytest.mark.parametrize("engine", [Local(1), Local(2), Local(3), Local(2, processes=True)], ids=str)
def test_engines_of_this_machine_give_the_same_report(parts, engine, monkeypatch):
    truth = xent.scan(parts, group="country", holdout=True).json()
    real = data.InFiles.__init__

    def with_engine(self, *arguments, **options):
        real(self, *arguments, **options)
        self.engine = engine

    monkeypatch.setattr(data.InFiles, "__init__", with_engine)
    assert xent.scan(parts, group="country", holdout=True).json() == truth


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_stopped_scan_goes_on_where_it_was(parts, kind):
    files = parts
    if kind == "csv":
        files = [f"{part}.csv" for part in parts]
        for part, name in zip(parts, files, strict=True):
            pa.csv.write_csv(pa.parquet.read_table(part), name)
    truth = xent.scan(files, group="country", cluster="document")
    with pytest.raises(Stop):
        xent.scan(files, group="country", cluster="document", state="out.state", progress=stopper(3_000))
    read = []
    with pytest.raises(Stop):
        xent.scan(files, group="country", cluster="document", state="out.state", resume=True, progress=stopper(1_500))
    found = xent.scan(
        files, group="country", cluster="document", state="out.state", resume=True, progress=read.append, brief=False
    )
    assert found.json() == truth.json()
    assert read_state("out.state").rows == ROWS
    again = xent.scan(files, group="country", cluster="document", state="out.state", resume=True)
    assert again.json() == truth.json()


def test_a_stop_while_a_result_is_taken_in_counts_no_row_twice(parts):
    """Of processes, progress is told here, between two steps of taking a result in."""
    truth = xent.scan(parts, cluster="document").json()
    with pytest.raises(Stop):
        xent.scan(parts, cluster="document", state="out.state", engine="processes", progress=stopper(1_000))
    assert xent.scan(parts, cluster="document", state="out.state", resume=True).json() == truth


def test_a_stop_at_any_line_leaves_a_state_that_goes_on(parts, monkeypatch):
    """Ctrl-C is raised between any two lines; here at each line, in turn, of what takes results in and keeps them."""
    watched = {inspect.getfile(side_by_side), inspect.getfile(checkpoint)}
    monkeypatch.setattr(side_by_side, "FAN_IN", 1)
    monkeypatch.setattr(checkpoint, "SECONDS", -1.0)
    truth, lines, left = xent.scan(parts, brief=True).json(), 0, [1 << 60]

    def trace(frame, event, _):
        nonlocal lines
        if frame.f_code.co_filename not in watched:
            return None
        if event == "line":
            lines += 1
            if lines == left[0]:
                raise Stop
        return trace

    def scanned(**options):
        sys.settrace(trace)
        try:
            return xent.scan(parts, brief=True, state="out.state", workers=1, **options).json()
        finally:
            sys.settrace(None)

    assert scanned() == truth
    stops = range(1, lines + 1)
    for left[0] in stops[:: max(1, len(stops) // 100)]:
        Path("out.state").unlink(missing_ok=True)
        lines = 0
        with contextlib.suppress(Stop):
            scanned()
        assert xent.scan(parts, brief=True, state="out.state", resume=True).json() == truth, left[0]


def test_a_state_takes_the_place_of_no_other_file(parts):
    Path("thesis.txt").write_text("years of work")
    for resume in (False, True):
        with pytest.raises(StateError, match=r"thesis.txt is .*no state"):
            xent.scan(parts, brief=True, state="thesis.txt", resume=resume)
    xent.scan(parts[0], brief=True, state="0.state")
    assert main(["merge", "0.state", "-o", "thesis.txt"]) == 2
    assert Path("thesis.txt").read_text() == "years of work"
    os.mkfifo("pipe")
    assert run("merge", "0.state", "-o", "pipe").returncode == 2  # and does not wait for somebody to write there
    state = json.loads(read_state("0.state").to_json())
    Path("sorted.state").write_text(json.dumps(state, sort_keys=True))
    xent.scan(parts, brief=True, state="sorted.state")
    Path("empty").touch()  # as mktemp makes them
    for place in ("empty", "run.state", "run.state"):
        xent.scan(parts, brief=True, state=place)
    assert read_state("empty") == read_state("run.state")


def test_threads_may_write_one_state(parts):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: xent.scan(parts, brief=True, state="run.state", workers=1).loss, range(12)))
    assert set(found) == {read_state("run.state").report().loss}


def test_what_is_done_is_not_read_again(parts):
    with pytest.raises(Stop):
        xent.scan(parts, brief=True, state="out.state", progress=stopper(4_000))
    done = saved_state("out.state", unfinished=True).state.rows
    assert 0 < done < ROWS  # of the fragments begun, all but those at hand
    told = Told()
    xent.scan(parts, brief=True, state="out.state", resume=True, progress=told)
    assert sum(told.rows) == ROWS - done
    (first, total), last = told.done[0], told.done[-1]
    assert 1 <= first < total
    assert last == (total, total)
    xent.scan(parts, brief=True, state="out.state", resume=True, progress=told)
    assert told.done[-1] == (total, total)
    assert told.done.count((total, total)) == 2


def test_an_unfinished_state_is_not_merged(parts):
    with pytest.raises(Stop):
        xent.scan(parts, state="out.state", progress=stopper(1_000))
    with pytest.raises(StateError, match=r"out\.state cannot be used: its scan was stopped before the end"):
        read_state("out.state")


def test_going_on_with_other_files_or_options_is_refused(parts):
    with pytest.raises(Stop):
        xent.scan(parts, state="out.state", progress=stopper(5_000))
    with pytest.raises(StateError, match="begun with other columns or options"):
        xent.scan(parts, state="out.state", resume=True, clip=1e-6)
    with pytest.raises(
        StateError, match=r"has rows of part-0\.parquet, which is not among the files that can be read now"
    ):
        xent.scan(parts[1:], state="out.state", resume=True)
    pa.parquet.write_table(table(seed=5).slice(0, 2_000), parts[0])
    with pytest.raises(StateError, match=r"has rows of part-0\.parquet, which has changed since"):
        xent.scan(parts, state="out.state", resume=True)
    assert xent.scan(parts, state="out.state").rows == ROWS  # anew


def test_files_may_come_to_a_scan_that_goes_on(parts):
    xent.scan(parts[:2], state="out.state")
    found = xent.scan(parts, state="out.state", resume=True)
    assert found.json() == xent.scan(parts).json()


def test_a_mistake_in_the_last_rows_loses_nothing(parts):
    bad = pa.parquet.read_table(parts[2]).to_pydict()
    bad["p_1"][-1] = float("nan")
    pa.parquet.write_table(pa.table(bad), parts[2], row_group_size=250)
    with pytest.raises(ProbabilityError, match=r"row 1999 of part-2\.parquet"):
        xent.scan(parts, state="out.state")
    assert saved_state("out.state", unfinished=True).state.rows >= 4_000


def test_options_that_do_not_go_together(parts):
    with pytest.raises(OptionError, match="name it with state="):
        xent.scan(parts, resume=True)
    with pytest.raises(OptionError, match="pass one of them"):
        xent.scan(parts, state="out.state", holdout=True)
    with pytest.raises(OptionError, match="must be 'stop' or 'skip'"):
        xent.scan(parts, on_bad_file="ignore")


def test_parts_scored_apart_merge_to_the_state_of_the_whole(parts):
    xent.scan(parts, state="whole.state", cluster="document", group="country")
    for part in parts:
        xent.scan(part, state=f"{part}.state", cluster="document", group="country")
    merged = xent.State.merge(read_state(f"{part}.state") for part in reversed(parts))
    assert merged == read_state("whole.state")
    write_state("merged.state", merged)
    assert read_state("merged.state").to_json() == read_state("whole.state").to_json()


def run(*arguments, **options):
    return subprocess.run(
        [sys.executable, "-m", "xent.cli", *arguments], capture_output=True, text=True, timeout=120, **options
    )


def test_the_command_merges(parts):
    for part in parts:
        assert run("score", part, "--state", f"{part}.state").returncode == 0
    xent.scan(parts, state="whole.state", top=5)
    merged = run("merge", "part-*.state", "-o", "all.state", "--json", "--unit", "bits")
    assert (merged.returncode, merged.stderr) == (0, "")
    assert json.loads(merged.stdout) == json.loads(read_state("whole.state").report(unit="bits").json())
    assert read_state("all.state") == read_state("whole.state")
    assert "cross-entropy" in run("merge", "all.state").stdout
    gate = run("merge", "all.state", "--fail-above", "0.1")
    assert (gate.returncode, gate.stderr.startswith("xent: the loss is")) == (1, True)


def test_keys_of_other_columns_are_not_added(parts, capsys):
    """Users and rows, both whole numbers, once made clusters of both."""
    for i, key in enumerate(("a", "a", "b")):
        whole = pa.parquet.read_table(parts[i])
        keyed = whole.append_column("a", pa.array(np.arange(len(whole)) // 5)).append_column(
            "b", pa.array(range(len(whole)))
        )
        pa.parquet.write_table(keyed, parts[i])
        xent.scan(parts[i], cluster=key, state=f"{i}.state")
    assert main(["merge", "0.state", "1.state", "-o", "both.state"]) == 0
    assert capsys.readouterr().err == ""
    for first in ("0.state", "both.state"):
        assert main(["merge", first, "2.state"]) == 2
        said = capsys.readouterr().err
        assert f"{first} has its clusters from column 'a', and 2.state from 'b', so they cannot be added" in said


def test_the_command_refuses_states_that_do_not_fit(parts):
    xent.scan(parts[0], state="a.state")
    xent.scan(parts[1], state="b.state", clip=1e-7)
    refused = run("merge", "a.state", "b.state")
    assert refused.returncode == 2
    assert refused.stderr.startswith("xent: StateError: b.state does not fit those before it: clip None and 1e-07.")
    for name in ("c.state", "d.state"):
        write_state(name, read_state("a.state"))
    assert "c.state and d.state hold the same sums" in run("merge", "c.state", "d.state").stderr
    assert "would count double" in run("merge", "a.state", "./a.state").stderr
    xent.scan(f"./{parts[0]}", state="e.state")  # another name
    assert "a.state and e.state hold the same sums" in run("merge", "a.state", "e.state").stderr
    for command, name in (("score", "a.state"), ("score", "c.state"), ("check", "a.state")):
        refused = run(command, name)
        said = " ".join((refused.stdout + refused.stderr).split())
        assert f"{name} is a state that xent wrote, not a table of predictions. Give it to xent merge" in said
    heavy = xent.State([0, 1]).update([1, 0], [0.5, 0.5], sample_weight=[1, 300])
    for name, state in (("light", xent.State([0, 1]).update([1, 0], [0.5, 0.5])), ("heavy", heavy), ("next", heavy)):
        write_state(f"{name}.state", state)
    told = run("merge", "light.state", "heavy.state", "next.state").stderr
    assert told.count("heavy.state has weights and light.state has none") == 1
    assert "weights" not in run("merge", "heavy.state").stderr + run("merge", "light.state").stderr
    assert "no-such.state" in run("merge", "no-such.state").stderr
    missing = run("merge", parts[0])
    assert (missing.returncode, "Traceback" in missing.stderr) == (2, False)


@pytest.mark.parametrize("resume", [False, True])
@pytest.mark.parametrize("there", [False, True])
def test_an_interruption_before_anything_is_done_says_so(parts, there, resume, capsys, monkeypatch):
    if there:
        xent.scan(parts[:1], state="s.state")

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("xent.scoring.judge.prepare", interrupted)
    assert main(["score", *parts, "--state", "s.state", *["--resume"][:resume]]) == 130
    said = capsys.readouterr().err.splitlines()
    kept = "what is done is in s.state; the same command with --resume goes on from there"
    nothing = "nothing was done yet, so nothing was written to s.state"
    assert said == [f"xent: {kept if there and resume else nothing}", "xent: interrupted"]
    assert Path("s.state").exists() == there


def refusal(capsys, *arguments):
    assert main(arguments) == 2
    return capsys.readouterr().err


def test_states_that_have_rows_of_one_file_are_not_merged(parts, capsys):
    for i, part in enumerate(parts):
        xent.scan(part, state=f"{i}.state")
    xent.scan(parts[1:], state="12.state")
    Path("copy.state").write_bytes(Path("0.state").read_bytes())
    write_state("by-hand.state", xent.State([0, 1, 2]).update([0, 1], [[0.5, 0.25, 0.25], [0.2, 0.6, 0.2]]))
    assert main(["merge", "0.state", "1.state", "by-hand.state", "-o", "m.state"]) == 0
    assert read_state("m.state").rows == 2 * ROWS // 3 + 2
    assert main(["merge", "m.state", "by-hand.state", "2.state", "-o", "all.state"]) == 0
    capsys.readouterr()
    expected = "xent: StateError: {} and {} both have the rows of {}, which would count double."
    for first, second, shared in [
        ("0.state", "copy.state", "part-0.parquet"),
        ("1.state", "12.state", "part-1.parquet"),
        ("m.state", "0.state", "part-0.parquet"),
        ("1.state", "m.state", "part-1.parquet"),
        ("2.state", "all.state", "part-2.parquet"),
        ("m.state", "all.state", "one file"),
    ]:
        assert refusal(capsys, "merge", first, second).startswith(expected.format(first, second, shared))
    with pytest.raises(StateError, match="does not say which rows it is of"):
        xent.scan(parts, state="m.state", resume=True)


def test_files_of_one_name_are_told_apart_by_their_times(parts):
    for folder, second in (("a", 1), ("b", 2)):
        Path(folder).mkdir()
        Path(folder, "x.parquet").write_bytes(Path(parts[0]).read_bytes())
        os.utime(Path(folder, "x.parquet"), (second, second))
        with contextlib.chdir(folder):
            xent.scan("x.parquet", state="x.state")
    assert main(["merge", "a/x.state", "b/x.state", "-o", "m.state"]) == 0
    assert read_state("m.state").rows == 2 * ROWS // 3


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM to be caught")
@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_the_command_is_interrupted_and_goes_on(tmp_path, sign, monkeypatch):
    monkeypatch.chdir(tmp_path)
    random = np.random.default_rng(3)
    p = random.uniform(0.01, 0.99, 400_000)
    rows = pa.table({"label": (random.random(len(p)) < p).astype(int), "p": p})
    with pa.csv.CSVWriter("big.csv", rows.schema) as writer:
        for _ in range(10):
            writer.write_table(rows)
    command = ["score", "big.csv", "--brief", "--state", "s.state", "--json"]
    code = f"import sys, xent.cli, xent.scoring.checkpoint as c; c.SECONDS = 0.0; sys.exit(xent.cli.main({command}))"
    process = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while process.poll() is None and not Path("s.state").exists():  # written after each fragment, for this test
        time.sleep(0.01)
    process.send_signal(sign)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "--resume goes on from there" in said
    assert 0 < saved_state("s.state", unfinished=True).state.rows <= 4_000_000  # the signal may come late
    resumed = run(*command, "--resume")
    assert resumed.returncode == 0
    assert resumed.stdout == run("score", "big.csv", "--brief", "--json").stdout


@settings(max_examples=60, deadline=None)
@given(at=st.floats(0, 1, exclude_max=True), change=st.integers(1, 255))
def test_a_damaged_state_is_found_out(at, change, tmp_path_factory):
    folder = tmp_path_factory.mktemp("state")
    source, path = folder / "rows.parquet", folder / "a.state"
    pa.parquet.write_table(table(40), source)
    xent.scan(source, state=path, brief=True)
    sound = path.read_bytes()
    place = int(at * len(sound.rstrip()))
    for damaged in (sound[:place] + bytes([sound[place] ^ change]) + sound[place + 1 :], sound[:place]):
        path.write_bytes(damaged)
        with pytest.raises((StateError, SourceError)):
            read_state(path)


@pytest.mark.parametrize("content", [b"", b"{}", b"[1]", b"hello\n", b"PAR1\xff\x00", b'{"format": "xent-scan"}'])
def test_what_is_no_state_file_is_called_so(tmp_path, content, capsys):
    path = tmp_path / "a.state"
    path.write_bytes(content)
    said = refusal(capsys, "merge", str(path))
    assert said.startswith(f"xent: StateError: {path} is no state file, or it is damaged. Pass a file that xent score")


def test_a_state_that_cannot_be_written_costs_neither_the_report_nor_the_first_error(parts, monkeypatch):
    """The folder is gone from the first writing on, as where a disk was unmounted."""
    monkeypatch.setattr("xent.scoring.checkpoint.SECONDS", 0.0)
    with pytest.raises(UnsavedError, match=r"gone/out\.state cannot be written: No such file or directory") as unsaved:
        xent.scan(parts, state="gone/out.state")
    assert unsaved.value.report.json() == xent.scan(parts).json()
    with pytest.raises(Stop) as stopped:
        xent.scan(parts, state="gone/out.state", progress=stopper(3_000))
    assert any("out.state cannot be written" in note for note in stopped.value.__notes__)


def test_an_interruption_that_cannot_be_kept_says_why(parts, capsys, monkeypatch):
    def interrupted(*_):
        Path("states").rmdir()
        raise KeyboardInterrupt

    Path("states").mkdir()
    monkeypatch.setattr("xent.scoring.side_by_side._note", interrupted)
    assert main(["score", *parts, "--state", "states/s.state"]) == 130
    assert capsys.readouterr().err.splitlines() == [
        "xent: interrupted",
        "xent: states/s.state cannot be written: No such file or directory. Check the folder, its permissions, and the "
        "free space.",
    ]


def test_no_partial_file_is_left(parts, tmp_path):
    with pytest.raises(SourceError, match="cannot be written"):
        write_state(tmp_path / "no" / "folder.state", xent.State([0, 1]))
    xent.scan(parts, state="out.state")
    assert not list(Path().glob("*.partial"))


def test_only_files_are_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    labels = {"label": [0, 1], "p": [0.2, 0.7]}
    pa.csv.write_csv(pa.table(labels), tmp_path / "in.csv")
    with pytest.raises(SourceError, match=r"pipe\.csv cannot be written: it is there, and is no file\.\nName another"):
        write_state(tmp_path / "pipe.csv", xent.State([0, 1]))
    with pytest.raises(SourceError, match="is no file"):
        xent.scan(tmp_path / "in.csv", state=tmp_path / "pipe.csv")
    with (
        pytest.raises(SourceError, match="is no file"),
        TableWriter(str(tmp_path / "pipe.csv"), pa.table(labels).schema),
    ):
        pass
    assert {path.name for path in tmp_path.iterdir()} == {"pipe.csv", "in.csv"}
    assert (tmp_path / "pipe.csv").is_fifo()


def spoil(path, how):
    text = Path(path).read_bytes()
    if how == "cut":
        Path(path).write_bytes(text[: len(text) // 2])
    elif how == "empty":
        Path(path).write_bytes(b"")
    elif how == "missing":
        Path(path).unlink()
    elif how == "page":
        middle = len(text) // 2
        Path(path).write_bytes(
            text[:middle] + bytes(b ^ 0xFF for b in text[middle : middle + 40]) + text[middle + 40 :]
        )
    elif how == "columns":
        pa.parquet.write_table(pa.parquet.read_table(path).drop(["p_2"]), path)
    elif how == "type":
        rows = pa.parquet.read_table(path)
        pa.parquet.write_table(rows.set_column(0, "label", rows["label"].cast(pa.string())), path)
    elif how == "null":
        rows = pa.parquet.read_table(path).to_pydict()
        rows["p_0"][7] = None
        pa.parquet.write_table(pa.table(rows), path)


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("how", ["cut", "empty", "missing", "page", "null", "columns", "type"])
def test_a_bad_file_is_named_or_skipped_as_a_whole(parts, how, which):
    spoil(parts[which], how)
    with pytest.raises(SourceError, match=f"part-{which}") as refused:
        xent.scan(parts)
    assert ["--on-bad-file skip" in note for note in refused.value.__notes__] == [True]
    found = xent.scan(parts, on_bad_file="skip", state="skip.state")
    others = xent.scan([part for i, part in enumerate(parts) if i != which])
    assert [(one.file, f"part-{which}" in one.reason) for one in found.skipped] == [(parts[which], True)]
    assert found.warnings[0].startswith("1 file could not be read")
    a, b = json.loads(found.json()), json.loads(others.json())
    for key in ("loss", "interval", "by_class", "ladder", "cure", "worst", "rows"):
        assert a[key] == b[key]
    assert read_state("skip.state").report().skipped == found.skipped


@pytest.mark.parametrize("which", [0, 1, 2])
def test_a_text_file_with_text_among_its_predictions_is_named_or_skipped(tmp_path, monkeypatch, which):
    monkeypatch.chdir(tmp_path)
    files = [f"{i}.csv" for i in range(3)]
    for i, file in enumerate(files):
        rows = table().slice(i * 200, 200).to_pydict()
        rows["p_1"][5] = "n/a" if i == which else rows["p_1"][5]
        lines = [rows.keys(), *zip(*rows.values(), strict=True)]
        Path(file).write_text("".join(",".join(map(str, line)) + "\n" for line in lines))
    with pytest.raises(SourceError, match=rf"{which}\.csv, row 5 \(counted from 0\), column 'p_1' is 'n/a'"):
        xent.scan(files)
    found = xent.scan(files, on_bad_file="skip")
    assert [(one.file, "'n/a'" in one.reason) for one in found.skipped] == [(files[which], True)]
    assert found.loss == xent.scan([file for file in files if file != files[which]]).loss
    with pytest.raises(SourceError, match="'n/a'") as refused:
        xent.scan(files[which], on_bad_file="skip")
    assert not hasattr(refused.value, "__notes__")


def test_the_blame_is_on_the_file_that_is_unlike_most(parts):
    spoil(parts[0], "columns")
    with pytest.raises(SourceError, match=r"^part-0\.parquet has other columns than part-1\.parquet"):
        xent.scan(parts)


def test_files_without_rows_do_not_tell_types(parts):
    header = ",".join(pa.parquet.read_schema(parts[0]).names)
    empty = ["a.csv", "b.csv", "c.csv", "d.csv"]
    for name in empty:
        Path(name).write_text(header + "\n")
    found = xent.scan([*empty, *parts], on_bad_file="skip")
    assert found.rows == ROWS
    assert [one.file for one in found.skipped] == empty


def test_wrong_predictions_are_no_bad_file(parts):
    bad = pa.parquet.read_table(parts[1]).to_pydict()
    bad["p_1"][3] = 7.0
    pa.parquet.write_table(pa.table(bad), parts[1])
    with pytest.raises(ProbabilityError, match=r"row 3 of part-1\.parquet"):
        xent.scan(parts, on_bad_file="skip")


def test_nothing_but_bad_files(parts):
    for part in parts:
        spoil(part, "cut")
    with pytest.raises(SourceError, match="no file can be read"):
        xent.scan(parts, on_bad_file="skip")


@pytest.fixture
def late_text(tmp_path, monkeypatch):
    """A text file that is cut into pieces until its last line tells that a column is no number."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 20_000)
    monkeypatch.setattr("xent.sources.csv_text._BLOCK", 4_000)
    whole = table().append_column("g", pa.array([str(i % 3) for i in range(ROWS - 1)] + ["x"]))
    with open("late.csv", "w") as file:
        file.write(",".join(whole.column_names) + "\n")
        file.writelines(",".join(map(str, row.values())) + "\n" for row in whole.to_pylist())
    return "late.csv"


def test_a_file_that_is_not_as_its_beginning_looked_is_in_a_resumed_state_once(late_text, monkeypatch):
    options = {"group": "g", "cluster": "g", "state": "out.state"}
    truth = xent.scan(late_text, group="g", cluster="g").json()
    assert xent.scan(late_text, resume=True, **options).json() == truth  # there is no state to go on from
    assert xent.scan(late_text, resume=True, **options).json() == truth  # it is complete
    assert read_state("out.state").rows == ROWS
    os.unlink("out.state")
    with pytest.raises(Stop):
        xent.scan(late_text, progress=stopper(1_000), **options)  # before the last line is seen
    assert xent.scan(late_text, resume=True, **options).json() == truth
    monkeypatch.setattr(checkpoint, "SECONDS", -1.0)
    for stop in (ROWS, 2 * ROWS - 1_000):  # while it is read in pieces, and as a whole
        os.unlink("out.state")
        with contextlib.suppress(Stop):
            xent.scan(late_text, progress=stopper(stop), **options)
        assert xent.scan(late_text, resume=True, **options).json() == truth


@pytest.mark.parametrize("first", ["stop", "skip"])
def test_a_resumed_scan_leaves_out_the_same_files(parts, first):
    other = {"stop": "skip", "skip": "stop"}[first]
    with pytest.raises(Stop):
        xent.scan(parts, state="out.state", on_bad_file=first, progress=stopper(3_000))
    with pytest.raises(StateError, match=f"begun with --on-bad-file {first}"):
        xent.scan(parts, state="out.state", on_bad_file=other, resume=True)
    assert xent.scan(parts, state="out.state", on_bad_file=first, resume=True).json() == xent.scan(parts).json()


def test_a_resumed_scan_cuts_files_as_it_did(parts, monkeypatch):
    with pytest.raises(Stop):
        xent.scan(parts, state="out.state", progress=stopper(3_000))
    monkeypatch.setattr(data, "FRAGMENT_BYTES", 40_000)
    with pytest.raises(StateError, match=r"part-0\.parquet, which is read in other pieces now"):
        xent.scan(parts, state="out.state", resume=True)
