"""What all tests share: exact floats in errors, bounded examples, and a count of the skipped."""

import atexit
import gc
import glob
import json
import os
import shutil
import signal
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from xent.report import plot_fonts

for name in ("LC_ALL", "LC_MESSAGES"):  # commands speak the language of the environment; the tests read English
    os.environ.pop(name, None)
os.environ["LANG"] = "C.UTF-8"
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as a shell has what it runs in the background, and that its own
    signal.signal(signal.SIGINT, signal.default_int_handler)
os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported; its default is TensorFlow
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")  # PyTorch's threads else spin for CPUs that other tests could use

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:  # what one test has compiled is there for all, in whatever process
    os.environ["JAX_COMPILATION_CACHE_DIR"] = tempfile.mkdtemp(prefix="xent-jax-")
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"
    atexit.register(shutil.rmtree, os.environ["JAX_COMPILATION_CACHE_DIR"], ignore_errors=True)

# The same examples in every run, so that a run tells about the change and not about luck; to look for new ones:
# HYPOTHESIS_PROFILE=search pytest …
settings.register_profile("xent", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("xent"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "xent"))

CPU = Path("/proc/cpuinfo").read_text() if os.path.exists("/proc/cpuinfo") else ""

# The reasons to skip a test, and whether each holds here.
HOLDS = {
    "no chromium": lambda: CHROMIUM is None,
    "no java is installed": lambda: shutil.which("java") is None,
    "no PostgreSQL server": lambda: not (shutil.which("initdb") or glob.glob("/usr/lib/postgresql/*/bin/initdb")),
    "no font with Chinese is installed": lambda: not plot_fonts.chinese_fonts(),
}

# Without a window the first does what the others do, and opens a page in a quarter of the time.
BROWSERS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome")
CHROMIUM = next(filter(None, map(shutil.which, BROWSERS)), None)
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync"]  # fmt: skip

FEW_AND_LONG = (
    "tests/engines/",
    "tests/test_keras.py",
    "tests/test_training_examples.py",
    "tests/doctor/test_any_table.py",
    "tests/losses/test_denominator.py",
)


def pytest_xdist_auto_num_workers():
    """One more than there are CPUs: many tests wait for servers, clusters and processes of their own."""
    return (os.cpu_count() or 1) + 1


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """What is collected stays: 1.6 million objects, which a search for garbage would go through again and again.

    It is also looked for when 20,000 objects are new, not 700: among all that tests import, that took 6 % of their time.
    """
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.set_threshold(20_000, 20, 20)
        gc.enable()


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A file's tests run in one process, so that what it makes, compiles or starts is made once; but for those of a cluster.

    Few tests that take long come first, else a process would be alone with them at the end.
    """
    items.sort(key=lambda item: not item.nodeid.startswith(FEW_AND_LONG))
    for item in items:
        if item.get_closest_marker("xdist_group") is None:
            item.add_marker(pytest.mark.xdist_group(item.nodeid.partition("::")[0]))


def pytest_sessionfinish(session):
    """Fail the run if a test was skipped for any other reason, or for one that does not hold here."""
    if hasattr(session.config, "workerinput"):  # a worker of pytest-xdist; the main process counts
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    holding = [reason for reason, holds in HOLDS.items() if holds()]
    unexpected = [text for text in skipped if not any(reason in text for reason in holding)]
    if unexpected:
        reporter.write_line(f"{len(unexpected)} tests were skipped and should not be: {unexpected}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="module")
def browser():
    """Chromium, without a window."""
    if CHROMIUM is None:
        pytest.skip("no chromium: pages are not looked at in a browser")
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def contexts(browser):
    """The browser's context of some options, made once: that takes longer than all that a page does in it."""
    made = {}

    def context(**options):
        key = json.dumps(options, sort_keys=True)
        if key not in made:
            made[key] = browser.new_context(**options)
        return made[key]

    return context
