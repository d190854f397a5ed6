"""All texts in Simplified Chinese."""

from xent.texts.zh import (
    charts,
    commands,
    compared,
    comparison,
    conventions,
    diagnosis,
    distributions,
    gaussian,
    heads,
    labels,
    logits,
    page,
    playground,
    reading,
    report,
    token_text,
    tokens,
    verdicts,
    words,
)

__all__ = ["TEXTS"]

TEXTS = {
    **words.TEXTS,
    **charts.TEXTS,
    **commands.TEXTS,
    **compared.TEXTS,
    **comparison.TEXTS,
    **conventions.TEXTS,
    **diagnosis.TEXTS,
    **distributions.TEXTS,
    **gaussian.TEXTS,
    **heads.TEXTS,
    **labels.TEXTS,
    **logits.TEXTS,
    **page.TEXTS,
    **playground.TEXTS,
    **reading.TEXTS,
    **report.TEXTS,
    **token_text.TEXTS,
    **tokens.TEXTS,
    **verdicts.TEXTS,
}
