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

MAY_BE_MISSING = {"chromium": "no chromium is installed", "java": "no java is installed"}  # the reasons to skip a test


def pytest_sessionfinish(session):
    """Fail the run if a test was skipped for any other reason, or for want of a program that is there."""
    if hasattr(session.config, "workerinput"):  # a worker of pytest-xdist; the main process counts
        return
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    skipped = [str(report.longrepr) for report in reporter.stats.get("skipped", [])]
    allowed = [reason for program, reason in MAY_BE_MISSING.items() if shutil.which(program) is None]
    unexpected = [reason for reason in skipped if not any(text in reason for text in allowed)]
    if unexpected:
        reporter.write_line(f"{len(skipped)} tests were skipped, these for no good reason: {unexpected}", red=True)
        session.exitstatus = pytest.ExitCode.TESTS_FAILED
