"""RFC 9110 and its companions: header fields, bodies and queries, without a noun of this service."""
