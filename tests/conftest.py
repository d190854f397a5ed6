"""What all tests share: exact floats in errors, bounded examples, and a count of the skipped."""

import os
import shutil

import pytest
from hypothesis import HealthCheck, settings

os.environ.setdefault("KERAS_BACKEND", "torch")  # read when Keras is imported; its default is TensorFlow

# The same examples in every run, so that a run tells about the change and not about luck; to look for new ones:
# HYPOTHESIS_PROFILE=search pytest …
settings.register_profile("xent", deadline=None, suppress_health_check=[HealthCheck.too_slow], derandomize=True)
settings.register_profile("search", settings.get_profile("xent"), derandomize=False)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "xent"))

NO_BROWSER = "no chromium is installed"  # the one reason to skip a test


def pytest_sessionfinish(session):
    """Fail the run if a test was skipped for any other reason, or a browser test although there is a browser."""
    if hasattr(session.config, "workerinput"):  # a worker of pytest-xdist; the main process counts
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    allowed = len(skipped) if shutil.which("chromium") is None else 0
    unexpected = [reason for reason in skipped if NO_BROWSER not in reason]
    if unexpected or len(skipped) > allowed:
        reporter.write_line(f"{len(skipped)} tests were skipped, {allowed} may be: {skipped}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
