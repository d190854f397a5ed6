"""Words that several explanations share."""

__all__ = ["TEXTS"]

TEXTS = {
    "space": "",  # between sentences
    "unit.nats": "奈特",
    "unit.bits": "比特",
    "class": "类别 {index}",
    "outcome": "结果 {index}",
    "row": "第 {index} 行",
    "column.class": "类别",
    "column.outcome": "结果",
    "column.label": "标签",
    "column.row": "行",
    "others": "其余 {count} 个",
    "sum": "合计",
    "mean": "均值",
    "label.mark": "标签",
    "read": "读取方式",
}
