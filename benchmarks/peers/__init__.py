"""Peers: what the service is measured against, used as its own users do."""
