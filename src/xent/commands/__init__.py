"""The commands of `xent`, a module each: its arguments (`add`), and what it does with them (`run`)."""
