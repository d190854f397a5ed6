"""All texts in English."""

from xent.texts.en import conventions, distributions, gaussian, labels, logits, playground, words

__all__ = ["TEXTS"]

TEXTS = {
    **words.TEXTS,
    **logits.TEXTS,
    **distributions.TEXTS,
    **labels.TEXTS,
    **gaussian.TEXTS,
    **conventions.TEXTS,
    **playground.TEXTS,
}
