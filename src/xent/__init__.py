"""Cross-entropy, end to end: define it, train on it, judge a model by it."""

import importlib
from typing import TYPE_CHECKING, Any

from xent.errors import (
    ArgumentTypeError,
    EngineError,
    LabelError,
    MissingPackageError,
    OptionError,
    ProbabilityError,
    ShapeError,
    SourceError,
    StateError,
    WeightError,
    XentError,
)
from xent.version import __version__

if TYPE_CHECKING:
    from xent import gaussian
    from xent.doctor.check import check
    from xent.explaining.conventions import compare_conventions
    from xent.explaining.explain import explain
    from xent.formulas.rows import RowStatistics
    from xent.information import (
        conditional_entropy,
        cross_entropy,
        entropy,
        joint_entropy,
        js_divergence,
        kl_divergence,
        mutual_information,
        perplexity,
        surprisal,
    )
    from xent.losses.linear import linear_cross_entropy, linear_row_statistics
    from xent.losses.sigmoid import sigmoid_cross_entropy
    from xent.losses.softmax import row_statistics, softmax_cross_entropy
    from xent.losses.value_and_grad import value_and_grad
    from xent.playground.explore import explore
    from xent.report.checkup import Checkup, Finding
    from xent.report.comparison import Comparison
    from xent.report.explanation import Explanation
    from xent.report.model import Report
    from xent.scoring.compare import compare
    from xent.scoring.judge import evaluate, scan
    from xent.scoring.state import State
    from xent.scoring.state_files import read_state, write_state
    from xent.sources.sql import sql

__all__ = [
    "ArgumentTypeError",
    "Checkup",
    "Comparison",
    "EngineError",
    "Explanation",
    "Finding",
    "LabelError",
    "MissingPackageError",
    "OptionError",
    "ProbabilityError",
    "Report",
    "RowStatistics",
    "ShapeError",
    "SourceError",
    "State",
    "StateError",
    "WeightError",
    "XentError",
    "__version__",
    "check",
    "compare",
    "compare_conventions",
    "conditional_entropy",
    "cross_entropy",
    "entropy",
    "evaluate",
    "explain",
    "explore",
    "gaussian",
    "joint_entropy",
    "js_divergence",
    "kl_divergence",
    "linear_cross_entropy",
    "linear_row_statistics",
    "mutual_information",
    "perplexity",
    "read_state",
    "row_statistics",
    "scan",
    "sigmoid_cross_entropy",
    "softmax_cross_entropy",
    "sql",
    "surprisal",
    "value_and_grad",
    "write_state",
]

_ON_FIRST_USE = {  # the command has to come as far as to catch Ctrl-C before anything takes time to load, as NumPy does
    "Checkup": "xent.report.checkup",
    "Comparison": "xent.report.comparison",
    "Explanation": "xent.report.explanation",
    "Finding": "xent.report.checkup",
    "Report": "xent.report.model",
    "State": "xent.scoring.state",
    "check": "xent.doctor.check",
    "compare": "xent.scoring.compare",
    "compare_conventions": "xent.explaining.conventions",
    "evaluate": "xent.scoring.judge",
    "explain": "xent.explaining.explain",
    "explore": "xent.playground.explore",
    "read_state": "xent.scoring.state_files",
    "scan": "xent.scoring.judge",
    "write_state": "xent.scoring.state_files",
    "RowStatistics": "xent.formulas.rows",
    "conditional_entropy": "xent.information",
    "cross_entropy": "xent.information",
    "entropy": "xent.information",
    "joint_entropy": "xent.information",
    "js_divergence": "xent.information",
    "kl_divergence": "xent.information",
    "mutual_information": "xent.information",
    "perplexity": "xent.information",
    "surprisal": "xent.information",
    "linear_cross_entropy": "xent.losses.linear",
    "linear_row_statistics": "xent.losses.linear",
    "row_statistics": "xent.losses.softmax",
    "sigmoid_cross_entropy": "xent.losses.sigmoid",
    "softmax_cross_entropy": "xent.losses.softmax",
    "sql": "xent.sources.sql",
    "value_and_grad": "xent.losses.value_and_grad",
}


def __getattr__(name: str) -> Any:
    """Load it when it is first asked for."""
    if name in ("gaussian", "information"):
        return importlib.import_module(f"xent.{name}")
    if name not in _ON_FIRST_USE:
        raise AttributeError(f"module 'xent' has no attribute {name!r}")
    value = getattr(importlib.import_module(_ON_FIRST_USE[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """All public names, loaded or not."""
    return sorted({*globals(), *__all__})
