"""Words that several texts share."""

__all__ = ["TEXTS"]

TEXTS = {
    "space": " ",  # between sentences
    "list": ", ",  # between names
    "unit.nats": "nats",
    "unit.bits": "bits",
    "percent": "{value} %",
    "log.nats": "log",
    "log.bits": "log₂",
    "infinite": "infinite",
    "infinite.below": "−infinite",
    "p.unknown": "p unknown",
    "rows": "{count:,} rows",
    "rows.one": "1 row",
    "class": "class {index}",
    "class.named": "class {name}",
    "label.named": "label {name}",
    "outcome": "outcome {index}",
    "outcome.named": "outcome {name}",
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
    "read.note": "read: {note}",
    "group.missing": "(missing)",
    "none": "none",
}
