"""What commands say beside a report."""

__all__ = ["TEXTS"]

TEXTS = {
    "gate.worse": "worse than {old}: {much}; {test}",
    "gate.better": "better than {old}: {much}; {test}",
    "gate.open": "not shown to be worse than {old}: {much}; {test}",
    "gate.infinite": "{new:,} rows of infinite loss against {old:,}",
    "gate.infinite.tested": "{new:,} rows of infinite loss against {old:,} ({p})",
    "gate.no_difference": "no difference",
    "gate.difference": "{difference} {unit} per row",
    "gate.interval": "{much} (95% interval {low} to {high}, {p})",
    "gate.two_sample": "two-sample, because {why}",
    "gate.welch": "two-sample (Welch's t), because {why}",
    "gate.no_rows": "a report carries no rows",
    "gate.unmatched": "the rows do not match ({error})",
    "gate.paired": "paired by {key} over {rows:,} rows",
    "gate.paired.left": "paired by {key} over {rows:,} rows ({new:,} only in the new, {old:,} only in the old)",
    "missed.above": "the loss is {loss:.6g} {unit}, above {limit:g}",
    "missed.skill.undefined": "the skill is undefined, because only one class is present",
    "missed.skill": "the skill is {skill:.6g}, below {limit:g}",
    "missed.tokens": "the loss is {loss}, above {limit:g}",
    "worse.by": "{first} is worse than {second} by {difference} {unit} per row, {p}",
    "worse.infinite": "{first} is worse than {second}: its loss is infinite",
    "worse.tokens": "{first} is worse than {second} ({p})",
    "recalibrated.none": "{rows} as they were: the report recommends no cure, in {file}",
    "recalibrated": "{rows} at temperature {temperature:.4g}, in {file}",
    "recalibrated.offsets": "{rows} at temperature {temperature:.4g} with class offsets, in {file}",
    "kept": "what is done is in {file}; the same command with --resume goes on from there",
    "kept.nothing": "nothing was done yet, so nothing was written to {file}",
    "progress.read": "{rows} read",
    "progress.rate": "{millions:.1f}M rows/s",
    "explore.page": "The playground is in {file}",
    "explore.no_browser": "No browser could be opened. Open this in one: {address}",
    "merge.weights": "{weighted} has weights and {other} has none: there every row counts 1, which may be far from what a "
    "weight is; score all parts with --weight, or none",
    "merge.same": "{first} and {second} hold the same sums: are these the same rows twice?",
}
