"""Build the graph of a Keras model by calling it on symbolic tensors."""
