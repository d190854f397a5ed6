"""A report and how it is shown: as text, as a page, as JSON. Nothing here computes a score."""
