"""The graph of a model, independent of its framework: which activation follows each kernel."""
