"""The cheapest way to give each row a column of its own."""

import numpy as np
from numpy.typing import NDArray

__all__ = ["assignment"]


def assignment(costs: NDArray[np.float64]) -> NDArray[np.int64]:
    """The column of each row so that no two share one and the sum of their costs is least.

    Args:
        costs: (rows, columns), finite, no more rows than columns.

    Returns:
        (rows,) columns.

    Source:
        Jonker and Volgenant, "A shortest augmenting path algorithm for dense and sparse linear assignment problems"
        (1987), in the form without its initial reductions: O(rows²·columns).
    """
    rows, columns = costs.shape
    of_row, of_column = np.full(rows, -1), np.full(columns, -1)
    row_price, column_price = np.zeros(rows), np.zeros(columns)
    for start in range(rows):
        distance, before = np.full(columns, np.inf), np.full(columns, -1)
        done = np.zeros(columns, np.bool_)
        reached, row, at = [start], start, 0.0
        while True:
            path = at + costs[row] - row_price[row] - column_price
            shorter = ~done & (path < distance)
            distance[shorter], before[shorter] = path[shorter], row
            column = int(np.argmin(np.where(done, np.inf, distance)))
            at, done[column] = float(distance[column]), True
            if of_column[column] < 0:
                break
            row = int(of_column[column])
            reached.append(row)
        row_price[start] += at
        for other in reached[1:]:
            row_price[other] += at - distance[of_row[other]]
        column_price[done] -= at - distance[done]
        while True:  # walk the path back, and give each row on it the next column
            row = int(before[column])
            of_column[column], column, of_row[row] = row, int(of_row[row]), column
            if row == start:
                break
    return of_row.astype(np.int64)
