"""What commands say beside a report."""

__all__ = ["TEXTS"]

TEXTS = {
    "gate.worse": "比 {old} 差：{much}；{test}",
    "gate.better": "比 {old} 好：{much}；{test}",
    "gate.open": "不能证明比 {old} 差：{much}；{test}",
    "gate.infinite": "损失无穷大的行有 {new:,} 行，原有 {old:,} 行",
    "gate.infinite.tested": "损失无穷大的行有 {new:,} 行，原有 {old:,} 行（{p}）",
    "gate.no_difference": "没有差异",
    "gate.difference": "每行 {difference} {unit}",
    "gate.interval": "{much}（95% 置信区间 {low} 到 {high}，{p}）",
    "gate.two_sample": "双样本检验，因为{why}",
    "gate.welch": "双样本检验（Welch t），因为{why}",
    "gate.no_rows": "报告不含各行",
    "gate.unmatched": "各行对不上（{error}）",
    "gate.paired": "按 {key} 配对，共 {rows:,} 行",
    "gate.paired.left": "按 {key} 配对，共 {rows:,} 行（{new:,} 行只在新的中，{old:,} 行只在旧的中）",
    "missed.above": "损失是 {loss:.6g} {unit}，高于 {limit:g}",
    "missed.skill.undefined": "技巧评分无定义，因为只出现了一个类别",
    "missed.skill": "技巧评分是 {skill:.6g}，低于 {limit:g}",
    "missed.tokens": "损失是{loss}，高于 {limit:g}",
    "worse.by": "{first} 比 {second} 差，每行多 {difference} {unit}，{p}",
    "worse.infinite": "{first} 比 {second} 差：它的损失为无穷大",
    "worse.tokens": "{first} 比 {second} 差（{p}）",
    "recalibrated.none": "{rows}原样写入 {file}：报告没有建议修正",
    "recalibrated": "{rows}按温度 {temperature:.4g} 修正，写入 {file}",
    "recalibrated.offsets": "{rows}按温度 {temperature:.4g} 和类别偏移修正，写入 {file}",
    "kept": "已完成的部分在 {file} 中；同样的命令加上 --resume 即可从那里继续",
    "kept.nothing": "尚未完成任何部分，因此没有写入 {file}",
    "merge.same": "{first} 与 {second} 的累计完全相同：是不是同样的行重复了？",
}
