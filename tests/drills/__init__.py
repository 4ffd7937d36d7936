"""Drills: the service under load while its processes, connections and storage fail."""
