"""A cross-entropy explained with the numbers given: each step, why it is taken, and what comes out."""
