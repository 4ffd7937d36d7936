"""HTTP: parse a request, call the core, respond."""
