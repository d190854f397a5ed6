"""Mean squared error as cross-entropy."""

__all__ = ["TEXTS"]

TEXTS = {
    "gaussian.title": "均方误差 {mse} 相当于每个值 {loss} {unit}的交叉熵（标准差 {std} 的高斯分布）",
    "gaussian.errors.title": "真实值、预测值与误差平方",
    "gaussian.errors.text": "均方误差：{mse}；其平方根 {root} 与数值同单位。",
    "gaussian.column.value": "值",
    "gaussian.column.true": "真实 y",
    "gaussian.column.predicted": "预测 ŷ",
    "gaussian.column.error": "y − ŷ",
    "gaussian.column.square": "(y − ŷ)²",
    "gaussian.costs.title": "把预测值读作一个高斯分布",
    "gaussian.costs.text": "把预测 ŷ 读作分布 N(ŷ, {std}²)：ŷ 处最可能，越远越不可能。实际值的代价是该处概率密度的 −log，以奈特计为 log({std}·√(2π)) + (y − ŷ)² / (2·{std}²)。以{unit}计，就是一个常数加上误差平方乘以 {factor}。",
    "gaussian.column.constant": "常数",
    "gaussian.column.scaled": "平方 × {factor}",
    "gaussian.column.cost": "−log 密度",
    "gaussian.loss.title": "取均值：交叉熵",
    "gaussian.loss.text": "每个值 {loss} {unit} = {constant} + {factor} × {mse}。所以在这一标准差下，两个模型的交叉熵之差是均方误差之差的 {factor} 倍：最小化其一就是最小化另一个。这就是回归使用误差平方的原因。",
    "gaussian.loss.density": "密度不是概率：它取决于数值的单位，可以大于 1，所以这种交叉熵可以为负。只能在相同单位下比较。",
    "gaussian.spread.title": "标准差的含义",
    "gaussian.spread.text": "误差的散布是 {root}。按标准差 {std} 计，代价是 {loss}；按 {root} 计最好，代价是这个高斯分布的熵 {entropy}。两者之差是相对熵（KL 散度）{divergence} {unit}：H(P, Q) = H(P) + KL(P‖Q) 在这里同样成立。",
    "gaussian.spread.exact": "所有预测都完全准确，标准差越小越好，因此没有最佳值。",
    "gaussian.column.quantity": "",
    "gaussian.column.amount": "{unit}",
    "gaussian.quantity.entropy": "标准差 {root} 的熵",
    "gaussian.quantity.kl": "+ 按 {std} 计的相对熵",
    "gaussian.quantity.cross": "= 交叉熵",
    "gaussian.chart.x": "误差 y − ŷ",
    "gaussian.chart.y": "−log 密度（{unit}）",
}
