"""A layer: its spec, and the fans, scheme and spread that follow from it."""
