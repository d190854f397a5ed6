"""Judging predictions: outcomes (predictions → nats per row), exact sums, the state that merges, the summary."""
