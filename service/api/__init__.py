"""HTTP: parse a request, call the core, respond. No other room knows status codes."""
