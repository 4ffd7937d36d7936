"""Build the graph of a traced JAX program, and find how it uses each leaf of the model."""
