"""Sending responses: conditions, ranges, digests, and bodies that are drawn while they are sent."""
