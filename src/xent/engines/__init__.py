"""Where fragments of files are read and scored: in this process, in others, on a cluster."""
