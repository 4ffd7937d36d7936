import pytest
from starlette.exceptions import HTTPException

from service.api.work.shares import Shares, identify_peer


def find_status(shares, peer):
    """Return the status of the refusal of another one, or None."""
    try:
        shares.check(peer)
    except HTTPException as error:
        return error.status_code
    return None


def test_a_peer_at_its_share_is_refused_with_429_and_others_are_not():
    shares = Shares("bodies", limit=8, share=0.25)
    with shares.hold("a"), shares.hold("a"):
        assert find_status(shares, "a") == 429
        assert find_status(shares, "b") is None
    assert find_status(shares, "a") is None


def test_every_peer_is_refused_with_503_at_the_limit():
    shares = Shares("bodies", limit=2, share=1)
    with shares.hold("a"), shares.hold("b"):
        assert find_status(shares, "a") == find_status(shares, "c") == 503
    assert find_status(shares, "c") is None


def test_a_refusal_says_what_there_is_too_much_of_and_when_to_try_again():
    shares = Shares("bodies", limit=4, share=0.5)
    with shares.hold("a"), shares.hold("a"), pytest.raises(HTTPException, match="2 bodies") as raised:
        shares.check("a")
    assert raised.value.headers == {"Retry-After": "1"}


def test_a_share_is_at_least_one():
    assert find_status(Shares("bodies", limit=1, share=0.01), "a") is None


def test_what_a_block_that_raises_held_is_given_back():
    shares = Shares("bodies", limit=1, share=1)
    with pytest.raises(KeyError), shares.hold("a"):
        raise KeyError
    assert find_status(shares, "a") is None


@pytest.mark.parametrize(
    ("host", "peer"),
    [
        ("192.0.2.7", "192.0.2.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::", "2001:db8:1:2::/64"),
        ("::ffff:192.0.2.7", "192.0.2.7"),
        ("unix", "unix"),
        (None, ""),
    ],
)
def test_a_peer_is_an_address_or_the_network_of_a_site(host, peer):
    assert identify_peer(host) == peer
