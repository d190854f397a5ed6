"""Words that several explanations share."""

__all__ = ["TEXTS"]

TEXTS = {
    "space": " ",  # between sentences
    "unit.nats": "nats",
    "unit.bits": "bits",
    "class": "class {index}",
    "outcome": "outcome {index}",
    "row": "row {index}",
    "column.class": "class",
    "column.outcome": "outcome",
    "column.label": "label",
    "column.row": "row",
    "others": "{count} others",
    "sum": "sum",
    "mean": "mean",
    "label.mark": "the label",
    "read": "read",
}
