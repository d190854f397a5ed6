"""What the loss is made of, and the cure, in a sentence."""

__all__ = ["TEXTS"]

TEXTS = {
    "diagnosis.brief": "not looked into: pass brief=False (--full) to know",
    "diagnosis.infinite": "no temperature and no class offset makes an infinite loss finite: see the warning",
    "diagnosis.one_class": "only one class is present, so calibration cannot be told",
    "diagnosis.certain": "every row gives the truth probability 1: there is nothing to cure",
    "diagnosis.far_apart": "the logits are too far apart for a temperature of 16: divide them all by 100, say, and score again",
    "diagnosis.without_offsets": "{diagnosis} (class offsets not looked into)",
    "diagnosis.endless": "underconfident, and no mistake tells by how much: ever larger logits would cost less",
    "diagnosis.few": "too few rows to tell how well calibrated: even a cure of {share} % of the loss would not show",
    "diagnosis.calibrated": "well calibrated: nothing significant to cure",
    "diagnosis.small": "well calibrated: what a cure would remove is significant, but only {share} % of the loss",
    "diagnosis.cure": "{causes}: {cure} removes {share} % of the loss ({p})",
    "causes": "{first} and {second}",
    "causes.then": "{first}, and with that cured {second}",
    "cures": "{first} and {second}",
    "cause.no_information": "no information in the predictions",
    "cause.overconfident": "overconfident",
    "cause.underconfident": "underconfident",
    "cause.too_often": "predicts {name} too often",
    "cause.too_rarely": "predicts {name} too rarely",
    "cure.alike": "making all predictions alike",
    "cure.divide": "dividing the logits by {by}",
    "cure.divide.more": "dividing the logits by {by} or more",
    "cure.multiply": "multiplying the logits by {by}",
    "cure.multiply.more": "multiplying the logits by {by} or more",
    "cure.frequencies.class": "always predicting the class frequencies",
    "cure.frequencies.label": "always predicting the labels’ frequencies",
    "cure.offsets.class": "adding an offset to each class",
    "cure.offsets.label": "adding an offset to each label",
}
