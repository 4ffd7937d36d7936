"""What the author of a module fixed: frozen tensors, and what its values, names and copies say."""
