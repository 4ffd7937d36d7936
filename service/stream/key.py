"""Keys: 128 bits for each tensor, so that its draws are independent of those of other tensors."""

import hashlib
import struct
from typing import NamedTuple

STREAM_VERSION = 1
DOMAIN = b"weightinit stream"


class Key(NamedTuple):
    """Philox4x32's two key words and the two high words of its counter, each a u32."""

    k0: int
    k1: int
    c2: int
    c3: int


def derive_key(seed: int, name: str, version: int = STREAM_VERSION, domain: bytes = DOMAIN) -> Key:
    """Return the key of a tensor: the first 16 bytes of SHA-256(domain ‖ version ‖ seed ‖ name).

    Another domain, of as many bytes, gives other draws for the same seed and name.

    The version is u32 and the seed u64, both little-endian. The name is UTF-8, without Unicode normalization.
    All fields before the name have a fixed width, so no two (version, seed, name) have the same encoding.

    >>> derive_key(42, "hidden1/kernel")
    Key(k0=3503142691, k1=2355203612, c2=3727605247, c3=3538981351)
    """
    message = domain + struct.pack("<IQ", version, seed) + name.encode()
    return Key(*struct.unpack_from("<4I", hashlib.sha256(message).digest()))
