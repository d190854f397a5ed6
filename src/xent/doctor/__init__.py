"""What is wrong with a table of predictions: everything that can be told in one reading, and what to do about it."""
