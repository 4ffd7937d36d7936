"""How responses are sent: conditions, ranges, digests, and bodies drawn while they are sent."""
