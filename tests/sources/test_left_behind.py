"""Temporary folders of killed processes go away; those in use, and what others call by a similar name, stay."""

import os
import signal
import subprocess
import sys
import tempfile

import pyarrow as pa
import pytest

from xent.scoring.spill import Scratch
from xent.sources import detect

HOLDS = {
    "rows that do not fit in memory": """
import pyarrow as pa
from xent.scoring.spill import Scratch
scratch = Scratch()
scratch.file(pa.schema({"x": pa.int64()}))
print(scratch.folder.path, flush=True)
""",
    "a copy of standard input": """
import os
from xent.sources.detect import detected
copy = detected("-").path
assert open(copy).read() == "label,p"
print(os.path.dirname(copy), flush=True)
""",
}


def started(folder, code):
    process = subprocess.Popen(
        [sys.executable, "-c", f"{code}\nimport time; time.sleep(60)"],
        env={**os.environ, "TMPDIR": str(folder)}, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    process.stdin.write("label,p")
    process.stdin.close()
    return process, process.stdout.readline().strip()


@pytest.mark.parametrize("what", HOLDS)
def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(what, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "xent-notes").mkdir()
    killed, left = started(tmp_path, HOLDS[what])
    living, used = started(tmp_path, HOLDS[what])
    with living, killed:
        killed.send_signal(signal.SIGKILL)
        killed.wait()
        assert os.path.isdir(left)
        with Scratch() as scratch:
            scratch.file(pa.schema({"x": pa.int64()}))
            assert not os.path.exists(left)
            assert os.path.isdir(used)
        assert {entry.name for entry in tmp_path.iterdir()} == {"xent-notes", os.path.basename(used)}
        living.kill()


def test_a_copy_of_standard_input_removes_what_was_left_behind_and_goes_at_the_end(tmp_path):
    killed, left = started(tmp_path, HOLDS["a copy of standard input"])
    with killed:
        killed.kill()
    ended = "import sys; from xent.sources.detect import detected; print(detected('-').path)"
    found = subprocess.run([sys.executable, "-c", ended], env={**os.environ, "TMPDIR": str(tmp_path)},
                           input="label,p", capture_output=True, text=True, check=True)  # fmt: skip
    assert os.path.commonpath([found.stdout.strip(), tmp_path]) == str(tmp_path)
    assert os.path.dirname(found.stdout.strip()) != left
    assert list(tmp_path.iterdir()) == []


def test_a_copy_is_known_by_where_it_is_and_not_by_its_name(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    path = detect._copy("-", [b"label,p\n"])
    other = tmp_path / os.path.basename(path)
    other.touch()
    assert (detect.is_spooled(path), detect.is_spooled(str(other))) == (True, False)
