"""Where the outputs of kernels go in a graph, and which activation follows each."""
