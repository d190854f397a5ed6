"""The report as one self-contained page: readable on a phone, in the dark and on paper, without a network."""

import os
from typing import NamedTuple

from xent.report import charts
from xent.report.chart_confusion import heat
from xent.report.chart_groups import group_bars
from xent.report.chart_ladder import cured, offset_rungs, waterfall
from xent.report.chart_reliability import reliability
from xent.report.model import Report
from xent.report.pages import page, write_page
from xent.report.remarks import alarm, findings
from xent.texts.catalogue import Sentence, sentence

__all__ = ["render", "write"]


def render(report: Report, lang: str = "en") -> str:
    """The page, as one string of HTML that asks for no other file and opens in a language."""
    return page(
        "page.html.jinja",
        lang,
        _title(report),
        report=report,
        alarm=alarm(report),
        findings=findings(report),
        ruler=charts.ruler(report),
        waterfall=waterfall(report) if report.cure else None,  # what may be chance is no part
        cured=cured(report),
        moving=offset_rungs(report),
        histogram=charts.histogram(report),
        classes=charts.class_bars(report),
        groups=group_bars(report),
        heat=heat(report),
        reliability=reliability(report),
        curve=charts.curve(report),
        files=_files(report),
    )


def write(report: Report, path: str | os.PathLike[str], lang: str = "en") -> None:
    """Write the page to a file.

    Raises:
        OptionError: `lang` is none of the languages.
        SourceError: the file cannot be written, as where its directory does not exist.
    """
    write_page(render(report, lang), path)


class _File(NamedTuple):
    """A file that worst rows are in."""

    path: str
    name: str  # without the folders that all of them are in


def _files(report: Report) -> list[_File]:
    paths = list(dict.fromkeys(row.source for row in report.worst if row.source))
    folders = [path.split("/")[:-1] for path in paths]
    same = [len(set(level)) == 1 for level in zip(*folders, strict=False)]
    shared = [*same, False].index(False)
    return [_File(path, "/".join(path.split("/")[shared:])) for path in paths]


def _title(report: Report) -> Sentence:
    files = _files(report)
    if not files:
        return sentence("page.title")
    first = os.path.basename(files[0].path) or files[0].path
    return sentence("page.title.of" if len(files) == 1 else "page.title.of_several", source=first)
