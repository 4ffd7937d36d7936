"""HTTP: parse, ask the core, respond. The only place that knows statuses."""
