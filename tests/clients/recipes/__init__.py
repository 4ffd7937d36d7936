"""Live models that are initialized by a recipe of the service."""
