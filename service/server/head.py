"""Heads: what is wrong with the head of a request, beyond what the parser rejects (RFC 9110, RFC 9112)."""

import re
from collections.abc import Collection, Iterable
from ipaddress import AddressValueError, IPv6Address

import httptools

from service.api.problems import Problem, describe

Fields = list[tuple[bytes, bytes]]

TOKEN = rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
REQUEST_LINE = re.compile(rb"^(" + TOKEN + rb") \S+ HTTP/1\.[01]\r?$", re.MULTILINE)
# The start of a request line, of which the rest has yet to arrive.
PARTIAL_LINE = re.compile(rb"(" + TOKEN + rb")( [^\r\n]*)?")
# uri-host [":" port] (RFC 9110, section 7.2; RFC 3986, section 3.2.2).
HOST = re.compile(
    rb"(\[(?:(?P<ipv6>[0-9A-Fa-f:.]+)|[vV][0-9A-Fa-f]+\.[A-Za-z0-9._~!$&'()*+,;=:-]+)\]"
    rb"|(?:[A-Za-z0-9._~!$&'()*+,;=-]|%[0-9A-Fa-f]{2})*)(:[0-9]*)?"
)
# A target in absolute-form: scheme, authority, and the rest (RFC 9112, section 3.2.2).
ABSOLUTE = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*)://([^/?#]*)(.*)", re.DOTALL)
METHODS = frozenset([b"GET", b"HEAD", b"POST", b"PUT", b"DELETE", b"OPTIONS", b"TRACE", b"CONNECT", b"PATCH"])
VERSIONS = ("1.0", "1.1")
WRONG_VERSION = describe(505, "The version must be HTTP/1.0 or HTTP/1.1.")
UNKNOWN_METHOD = describe(501, "The service does not implement this method.")
UNKNOWN_CODING = describe(501, "The only transfer coding that the service implements is chunked.")
# Of one connection only, and not for HTTP/1.1, which goes on (RFC 9110, section 7.8).
UPGRADE_FIELDS = (b"upgrade", b"http2-settings")


def check_head(
    method: bytes,
    target: bytes,
    version: str,
    fields: Fields,
    allowed_hosts: Collection[bytes],
    scheme: str = "http",
) -> Problem | None:
    """Return what is wrong with a complete head, or None. `scheme` is that of the connection."""
    if version not in VERSIONS:
        return WRONG_VERSION
    if method == b"CONNECT":
        return describe(501, "The service is not a proxy: it does not implement CONNECT.")
    if target == b"*" and method != b"OPTIONS":
        return describe(400, "The target * is only for OPTIONS.")
    absolute = None if target.startswith(b"/") else ABSOLUTE.fullmatch(target)
    problem = _check_transfer_coding(version, fields)
    if not absolute:
        return problem or _check_host(version, fields, allowed_hosts)
    if absolute[1].lower() not in {b"http", scheme.encode()}:
        # https is for encrypted connections only (RFC 9110, section 7.4).
        return describe(421, "The service does not answer for this scheme on this connection.")
    # The host of the target counts, and Host only has to be valid (RFC 9112, section 3.2.2).
    return problem or _check_host(version, fields, ()) or _check_authority(absolute[2], allowed_hosts)


def add_path(target: bytes) -> bytes:
    """Return a target with a path: in absolute-form an empty one stands for / (RFC 9110, section 4.2.3).

    >>> add_path(b"http://test?a=1"), add_path(b"/livez")
    (b'http://test/?a=1', b'/livez')
    """
    found = None if target.startswith(b"/") else ABSOLUTE.fullmatch(target)
    if not found or found[3].startswith(b"/"):
        return target
    return b"%s://%s/%s" % found.groups()


def _check_transfer_coding(version: str, fields: Fields) -> Problem | None:
    """Check that the body is not coded beyond chunks (RFC 9112, section 6.1)."""
    codings = b",".join(value for name, value in fields if name == b"transfer-encoding").lower()
    if not codings:
        return None
    if version == "1.0":
        return describe(400, "HTTP/1.0 has no Transfer-Encoding.")
    if codings.strip() != b"chunked":
        return UNKNOWN_CODING
    return None


def _check_host(version: str, fields: Fields, allowed: Collection[bytes]) -> Problem | None:
    """Check Host (RFC 9112, section 3.2), against DNS rebinding also its value."""
    hosts = [value for name, value in fields if name == b"host"]
    if len(hosts) > 1:
        return describe(400, "Host must be sent once.")
    if not hosts:
        return describe(400, "Host is required.") if version == "1.1" else None
    return _check_authority(hosts[0], allowed)


def _check_authority(authority: bytes, allowed: Collection[bytes]) -> Problem | None:
    found = HOST.fullmatch(authority)
    if not found or (found["ipv6"] and not _is_ipv6(found["ipv6"])):
        return describe(400, "Host must be a host name or an address, with or without a port.")
    if allowed and found[1].lower() not in allowed:
        return describe(421, "The service does not answer for this host. See the setting allowed_hosts.")
    return None


def _is_ipv6(text: bytes) -> bool:
    try:
        IPv6Address(text.decode("ascii"))
    except AddressValueError:
        return False
    return True


def explain_error(error: BaseException | None, received: bytes) -> Problem:
    """Return the problem for what the parser rejects, by the message of llhttp's rule."""
    text = str(error)
    if isinstance(error, httptools.HttpParserInvalidMethodError):
        methods = {found[1] for found in REQUEST_LINE.finditer(received)}
        if partial := PARTIAL_LINE.fullmatch(received.rpartition(b"\n")[2]):
            methods.add(partial[1])
        if methods - METHODS:
            return UNKNOWN_METHOD
    if text == "Invalid method for HTTP/x.x request":  # llhttp also knows those of RTSP
        return UNKNOWN_METHOD
    if text in {"Invalid HTTP version", "Pause on PRI/Upgrade", "Expected HTTP/2 Connection Preface"}:
        return WRONG_VERSION
    if text == "Request has invalid `Transfer-Encoding`":
        return UNKNOWN_CODING
    return describe(400, "The request is not HTTP/1.1.")


def format_without_upgrade(
    method: bytes, target: bytes, version: str, fields: Iterable[tuple[bytes, bytes]]
) -> bytes:
    """Write the head of a request that asks for another protocol as one that does not."""
    lines = [b" ".join([method, target, f"HTTP/{version}".encode()])]
    for name, value in fields:
        if name == b"connection":
            options = [option.strip() for option in value.split(b",")]
            value = b", ".join(one for one in options if one.lower() not in UPGRADE_FIELDS)  # noqa: PLW2901
        if name not in UPGRADE_FIELDS:
            lines.append(name + b": " + value)
    return b"\r\n".join([*lines, b"", b""])
