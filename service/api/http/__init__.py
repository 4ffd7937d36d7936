"""RFC 9110 and related standards: header fields, bodies and queries, independent of this service."""
