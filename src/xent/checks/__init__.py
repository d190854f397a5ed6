"""Every question asked of inputs: the only place that raises about values."""
