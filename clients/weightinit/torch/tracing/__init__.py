"""Build the graph of a PyTorch module, and find which activation follows each kernel."""
