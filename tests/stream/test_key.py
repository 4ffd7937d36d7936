"""Keys: what separates one tensor's draws from every other's."""

import hashlib
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.stream.key import STREAM_VERSION, derive_key

SEEDS = st.integers(0, 2**64 - 1)
VERSIONS = st.integers(0, 2**32 - 1)
NAMES = st.text(st.characters(exclude_categories=["Cs"]))
IDENTITIES = st.tuples(VERSIONS, SEEDS, NAMES)

# The bytes that docs/stream.md, section 1, says are hashed, by hand; the keys by sha256sum and od -t u4.
WRITTEN_OUT = {
    "the page's": (
        (42, "hidden1/kernel"),
        "776569676874696e69742073747265616d 01000000 2a00000000000000 68696464656e312f6b65726e656c",
        (3503142691, 2355203612, 3727605247, 3538981351),
    ),
    "nothing": (
        (0, ""),
        "776569676874696e69742073747265616d 01000000 0000000000000000",
        (2292103538, 2840101956, 3470865029, 4210611017),
    ),
    "largest seed": (
        (2**64 - 1, "w"),
        "776569676874696e69742073747265616d 01000000 ffffffffffffffff 77",
        (3312452462, 2271323926, 3259756494, 578720886),
    ),
    "Cyrillic": (
        (258, "ключ"),
        "776569676874696e69742073747265616d 01000000 0201000000000000 d0bad0bbd18ed187",
        (2101937018, 3559849588, 2391888744, 1964132571),
    ),
}


def encode(version, seed, name):
    return b"weightinit stream" + version.to_bytes(4, "little") + seed.to_bytes(8, "little") + name.encode()


def decode(message):
    """Read an encoding back: that this is possible means that no two are alike."""
    version, seed = struct.unpack_from("<IQ", message, 17)
    return version, seed, message[29:].decode()


@pytest.mark.parametrize(("identity", "hashed", "key"), WRITTEN_OUT.values(), ids=WRITTEN_OUT)
def test_key_is_the_one_computed_by_hand(identity, hashed, key):
    digest = hashlib.sha256(bytes.fromhex(hashed)).digest()
    assert derive_key(*identity) == key == struct.unpack_from("<4I", digest)


@given(identity=IDENTITIES)
def test_key_is_the_digest_of_an_encoding_that_reads_back(identity):
    message = encode(*identity)
    version, seed, name = identity
    assert decode(message) == identity
    assert derive_key(seed, name, version) == struct.unpack_from("<4I", hashlib.sha256(message).digest())


@given(identities=st.lists(IDENTITIES, min_size=2, max_size=2, unique=True))
def test_another_version_seed_or_name_is_another_key(identities):
    (version, seed, name), (other_version, other_seed, other_name) = identities
    assert derive_key(seed, name, version) != derive_key(other_seed, other_name, other_version)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((1, "2x"), (12, "x")),
        ((0, "a"), (ord("a"), "")),
        ((0, "\0a"), (0, "a")),
        ((0, "a\0"), (0, "a")),
        ((0, "a"), (0, "A")),
        ((0, "é"), (0, "e\u0301")),
        ((0, "ﬁ"), (0, "fi")),
        ((0, " a"), (0, "a")),
        ((2**32, ""), (0, "")),
        ((2**63, ""), (0, "")),
    ],
)
def test_names_and_seeds_that_look_alike_differ(one, other):
    assert derive_key(*one) != derive_key(*other)


def test_the_version_served_is_the_first():
    assert STREAM_VERSION == 1
    assert derive_key(42, "fc1") == derive_key(42, "fc1", 1) != derive_key(42, "fc1", 2)


@pytest.mark.parametrize("seed", [-1, 2**64])
def test_a_seed_beyond_u64_is_refused_not_wrapped(seed):
    with pytest.raises(struct.error):
        derive_key(seed, "")
