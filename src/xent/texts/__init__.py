"""What xent says to people, in each language it says it in: one catalogue per language, a module per topic."""
