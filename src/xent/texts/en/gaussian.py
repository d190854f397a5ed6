"""Mean squared error as cross-entropy."""

__all__ = ["TEXTS"]

TEXTS = {
    "gaussian.title": "mean squared error {mse} is a cross-entropy of {loss} {unit} per value, for Gaussians of standard deviation {std}",
    "gaussian.errors.title": "Values, predictions, squared errors",
    "gaussian.errors.text": "Mean squared error: {mse}; its root, {root}, is in the unit of the values.",
    "gaussian.column.value": "value",
    "gaussian.column.true": "true y",
    "gaussian.column.predicted": "predicted ŷ",
    "gaussian.column.error": "y − ŷ",
    "gaussian.column.square": "(y − ŷ)²",
    "gaussian.costs.title": "The prediction read as a Gaussian",
    "gaussian.costs.text": "Read a prediction ŷ as the distribution N(ŷ, {std}²): most likely ŷ, less likely farther away. What happened then costs −log of the density there, in nats log({std}·√(2π)) + (y − ŷ)² / (2·{std}²). In {unit} that is a constant, and the squared error times {factor}.",
    "gaussian.column.constant": "constant",
    "gaussian.column.scaled": "square × {factor}",
    "gaussian.column.cost": "−log density",
    "gaussian.loss.title": "Their mean: the cross-entropy",
    "gaussian.loss.text": "{loss} {unit} per value = {constant} + {factor} × {mse}. So two models with this standard deviation differ in cross-entropy by {factor} times what their mean squared errors differ by: minimising one is minimising the other. That is why regression uses squared errors.",
    "gaussian.loss.density": "A density is no probability: it depends on the unit of the values and can be above 1, so this cross-entropy can be negative. Compare it only for values in the same unit.",
    "gaussian.spread.title": "What the standard deviation says",
    "gaussian.spread.text": "The errors spread by {root}. Said to be {std}, they cost {loss}; said to be {root}, which is best, they would cost the entropy of such a Gaussian, {entropy}. The difference is the KL divergence {divergence} {unit}: H(P, Q) = H(P) + KL(P‖Q), here too.",
    "gaussian.spread.exact": "All predictions are exact, so a smaller standard deviation would always be better: there is no best one.",
    "gaussian.column.quantity": "",
    "gaussian.column.amount": "{unit}",
    "gaussian.quantity.entropy": "entropy at std {root}",
    "gaussian.quantity.kl": "+ KL for saying {std}",
    "gaussian.quantity.cross": "= cross-entropy",
    "gaussian.chart.x": "error y − ŷ",
    "gaussian.chart.y": "−log density, {unit}",
}
