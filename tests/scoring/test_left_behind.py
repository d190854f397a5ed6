"""Temporary folders of killed processes go away; those in use, and what others call by a similar name, stay."""

import os
import signal
import subprocess
import sys
import tempfile

import pyarrow as pa

from xent.scoring.spill import Scratch

HOLDS = """
import sys, time
import pyarrow as pa
from xent.scoring.spill import Scratch
scratch = Scratch()
scratch.file(pa.schema({"x": pa.int64()}))
print(scratch.folder, flush=True)
time.sleep(60)
"""


def started(folder):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDS], env={**os.environ, "TMPDIR": str(folder)}, stdout=subprocess.PIPE, text=True
    )
    return process, process.stdout.readline().strip()


def test_the_folder_of_a_killed_process_is_removed_and_that_of_a_living_one_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    (tmp_path / "xent-notes").mkdir()
    killed, left = started(tmp_path)
    living, used = started(tmp_path)
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
