"""Known architectures: what their own code says of each kernel, and what the plans of the adapters say."""
