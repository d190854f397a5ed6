"""Words that several texts share."""

__all__ = ["TEXTS"]

TEXTS = {
    "space": "",  # between sentences
    "list": "、",  # between names
    "unit.nats": "奈特",
    "unit.bits": "比特",
    "percent": "{value}%",
    "log.nats": "log",
    "log.bits": "log₂",
    "infinite": "无穷大",
    "infinite.below": "负无穷大",
    "p.unknown": "p 未知",
    "rows": "{count:,} 行",
    "rows.one": "1 行",
    "class": "类别 {index}",
    "class.named": "类别 {name}",
    "label.named": "标签 {name}",
    "outcome": "结果 {index}",
    "outcome.named": "结果 {name}",
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
    "read.note": "读取方式：{note}",
    "group.missing": "（缺失）",
    "none": "无",
}
