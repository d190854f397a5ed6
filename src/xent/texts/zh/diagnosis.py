"""What the loss is made of, and the cure, in a sentence."""

__all__ = ["TEXTS"]

TEXTS = {
    "diagnosis.brief": "未作分析：传入 brief=False（--full）即可得知",
    "diagnosis.infinite": "任何温度、任何类别偏移都不能使无穷大的损失变为有限：见警告",
    "diagnosis.one_class": "只出现了一个类别，无从判断校准",
    "diagnosis.certain": "每一行给真实标签的概率都是 1：没有可修正之处",
    "diagnosis.far_apart": "logits 相差太大，温度 16 也不够：请把它们都除以（比如）100，再重新评分",
    "diagnosis.without_offsets": "{diagnosis}（未考察类别偏移）",
    "diagnosis.endless": "信心不足，又没有一次失误能说明差多少：logits 越大，损失就越小",
    "diagnosis.few": "行数太少，无法判断校准好坏：即使有修正能消除损失的 {share}%，也显不出来",
    "diagnosis.calibrated": "校准良好：没有显著的问题需要修正",
    "diagnosis.small": "校准良好：修正的效果虽然显著，但只占损失的 {share}%",
    "diagnosis.cure": "{causes}：{cure}，可消除损失的 {share}%（{p}）",
    "causes": "{first}，且{second}",
    "causes.then": "{first}，修正之后{second}",
    "cures": "{first}，{second}",
    "cause.no_information": "预测不含信息",
    "cause.overconfident": "过度自信",
    "cause.underconfident": "信心不足",
    "cause.too_often": "对{name} 的预测过多",
    "cause.too_rarely": "对{name} 的预测过少",
    "cure.alike": "把所有预测变得相同",
    "cure.divide": "把 logits 除以 {by}",
    "cure.divide.more": "把 logits 除以 {by} 或更大的数",
    "cure.multiply": "把 logits 乘以 {by}",
    "cure.multiply.more": "把 logits 乘以 {by} 或更大的数",
    "cure.frequencies.class": "始终预测类别频率",
    "cure.frequencies.label": "始终预测各标签的频率",
    "cure.offsets.class": "给每个类别加上偏移",
    "cure.offsets.label": "给每个标签加上偏移",
}
