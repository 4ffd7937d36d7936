"""Code that the adapters of all frameworks share: rules, plans, reports and published models."""
