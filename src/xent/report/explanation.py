"""What `xent explain` says: plain frozen data, as text, as HTML for notebooks, as a plot and as JSON."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from xent.errors import OptionError
from xent.report import explanation_html, json
from xent.report.explanation_plot import draw
from xent.report.explanation_text import print_explanation
from xent.report.lines import shown_in
from xent.report.steps import Step

if TYPE_CHECKING:
    from matplotlib.axes import Axes

__all__ = ["Explanation"]

WIDTH = 100


@dataclass(frozen=True)
class Explanation:
    """A cross-entropy, step by step."""

    title: str
    loss: float  # what it comes to, in `unit`
    unit: str  # "nats" or "bits"
    lang: str
    steps: tuple[Step, ...]
    notes: tuple[str, ...] = ()  # how a file was read

    def step(self, name: str) -> Step:
        """The step of that name.

        Raises:
            OptionError: there is none; lists those there are.
        """
        for one in self.steps:
            if one.name == name:
                return one
        raise OptionError(f"there is no step {name!r}; the steps are {', '.join(one.name for one in self.steps)}.")

    def __str__(self) -> str:
        """As the command prints it, without colours."""
        return shown_in(WIDTH, lambda console: print_explanation(self, console))

    def _repr_html_(self) -> str:
        """For notebooks: one piece of HTML with its own style, that asks for no other file."""
        return explanation_html.render(self)

    def plot(self, ax: "Axes | None" = None) -> "Axes":
        """The picture of the explanation: bars of distributions, or the curve of what predictions cost.

        Args:
            ax: to draw on; None makes a figure.

        Returns:
            matplotlib's Axes.

        Raises:
            MissingPackageError: matplotlib is absent.
            OptionError: there is no picture, as of a comparison of conventions.
        """
        return draw(self, ax)

    def json(self) -> str:
        """As JSON: keys are the attribute names, infinity is "inf", what is undefined is null."""
        return json.render(self, self.lang)
