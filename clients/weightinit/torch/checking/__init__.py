"""How a check of a module works: its parts, what they put out, and its state put back afterwards."""
