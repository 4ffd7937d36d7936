"""Shares: how many of a process's connections, bodies and digests one peer may hold at once.

A limit for all peers protects the process. A share of it for each protects the other peers.
"""

import math
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from ipaddress import IPv6Address, IPv6Network, ip_address

from starlette.exceptions import HTTPException

from service.api.metrics import REFUSED

RETRY_AFTER = {"Retry-After": "1"}
# A site gets a /64 or more (RFC 6177), so one host has as many addresses of it as it likes.
IPV6_SITE_BITS = 64


def find_address(host: str | None) -> str:
    """Return the address of a host, for the audit trail. Empty if a proxy named something else.

    >>> find_address("2001:db8::7"), find_address("::ffff:192.0.2.7"), find_address("unknown")
    ('2001:db8::7', '192.0.2.7', '')
    """
    try:
        address = ip_address(host or "")
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return str(address)
    return str(address.ipv4_mapped or IPv6Address(int(address)))  # without a zone, which may be of any length


@lru_cache(4096)
def identify_peer(host: str | None) -> str:
    """Return the peer of an address: the address itself, or the /64 network of an IPv6 address.

    >>> identify_peer("192.0.2.7"), identify_peer("2001:db8::7"), identify_peer(None)
    ('192.0.2.7', '2001:db8::/64', '')
    """
    address = find_address(host)
    if ":" not in address:
        return address or host or ""
    return str(IPv6Network((address, IPV6_SITE_BITS), strict=False))


class Shares:
    """Counts what peers hold of a resource, up to a limit for all and a share of it for each.

    `name` is the plural that errors and metrics have, `share` the fraction of the limit, rounded up.
    """

    def __init__(self, name: str, limit: int, share: float) -> None:
        self._name, self._limit, self._each = name, limit, math.ceil(limit * share)
        self._held: Counter[str] = Counter()
        self._total = 0

    def check(self, peer: str) -> None:
        """Raise HTTPException if a peer may not hold another one: 503 for the limit, 429 for its share."""
        if self._total >= self._limit:
            detail = f"The service has {self._limit} {self._name} at once, which is its limit. Try again."
            REFUSED.labels(self._name, 503).inc()
            raise HTTPException(503, detail, RETRY_AFTER)
        if self._held.get(peer, 0) >= self._each:
            detail = f"Your address has {self._each} {self._name} at once, which is its share. Try again."
            REFUSED.labels(self._name, 429).inc()
            raise HTTPException(429, detail, RETRY_AFTER)

    def take(self, peer: str) -> None:
        """Count another one."""
        self._held[peer] += 1
        self._total += 1

    def give_back(self, peer: str) -> None:
        """Count one less."""
        self._total -= 1
        self._held[peer] -= 1
        if not self._held[peer]:
            del self._held[peer]

    @contextmanager
    def hold(self, peer: str) -> Iterator[None]:
        """Count one in a `with` block."""
        self.take(peer)
        try:
            yield
        finally:
            self.give_back(peer)
