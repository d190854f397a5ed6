"""The playground: one page on which cross-entropy can be taken in hand; its arithmetic is in arithmetic.js."""
