"""Where rows come from: files, standard input and tables in memory, as batches of Arrow columns.

Reading and the choice of columns only; what the values mean is told by `xent.scoring`.
"""

from xent.sources.blocks import prediction_block
from xent.sources.columns import Columns, choose_columns
from xent.sources.files import open_files
from xent.sources.frames import open_frame
from xent.sources.rows import read_rows
from xent.sources.table import Batch, Table

__all__ = [
    "Batch",
    "Columns",
    "Table",
    "choose_columns",
    "open_files",
    "open_frame",
    "prediction_block",
    "read_rows",
]
