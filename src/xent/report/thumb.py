"""The rule of thumb for the loss of two classes, in nats."""

from xent.texts.catalogue import Sentence, sentence

__all__ = ["RULE", "rule_of_thumb"]

RULE = (
    (0.02, "rule.great"),
    (0.05, "rule.right_track"),
    (0.20, "rule.fine"),
    (0.30, "rule.between"),
    (1.0, "rule.not_great"),
    (2.0, "rule.terrible"),
)


def rule_of_thumb(loss: float) -> Sentence:
    """What the folklore for two classes says of a loss in nats, and why it does not carry to other class counts."""
    below = (name for bound, name in RULE if loss < bound)
    return sentence("rule", word=sentence("rule.perfect" if loss <= 0.0 else next(below, "rule.broken")))
