"""Requests for what needs a token (RFC 9110, section 11; RFC 6750)."""

from tests.server.raw.rows import Row, ask

CHALLENGE = b'www-authenticate: bearer realm="weightinit"'
INVALID = CHALLENGE + b', error="invalid_token"'
UNKNOWN = b"wi_" + 12 * b"0" + b"_" + 43 * b"A"
PATHS = (
    b"GET /v1/tokens",
    b"HEAD /v1/tokens",
    b"GET /v1/token",
    b"DELETE /v1/tokens/000000000000",
    b"GET /v1/audit",
    b"HEAD /v1/audit",
)


def send_authorization(what: str, lines: bytes, challenge: bytes = CHALLENGE, section: str = "6750 3") -> Row:
    """Make a row of a GET that needs a token, with field lines."""
    return ask(section, what, b"GET /v1/token", lines, 401, fields=(challenge,))


ACCESS = [
    *(ask("9110 15.5.2", path.decode(), path, b"", 401, fields=(CHALLENGE,)) for path in PATHS),
    *(
        ask(
            "6750 3.1",
            f"{path.decode()}, unknown",
            path,
            b"Authorization: Bearer " + UNKNOWN + b"\r\n",
            401,
            fields=(INVALID,),
        )
        for path in PATHS
    ),
    send_authorization("an empty Authorization", b"Authorization:\r\n"),
    send_authorization("a scheme alone", b"Authorization: Bearer\r\n"),
    send_authorization("Basic", b"Authorization: Basic YTpi\r\n", section="9110 11.4"),
    send_authorization("Digest", b'Authorization: Digest username="a"\r\n', section="9110 11.4"),
    send_authorization("no scheme", b"Authorization: " + UNKNOWN + b"\r\n", section="9110 11.4"),
    send_authorization("another scheme", b"Authorization: Token " + UNKNOWN + b"\r\n", section="9110 11.1"),
    send_authorization(
        "bearer in lower case", b"authorization: bearer " + UNKNOWN + b"\r\n", INVALID, "9110 11.1"
    ),
    send_authorization(
        "BEARER in capitals", b"AUTHORIZATION: BEARER " + UNKNOWN + b"\r\n", INVALID, "9110 11.1"
    ),
    send_authorization(
        "Authorization in two lines", 2 * (b"Authorization: Bearer " + UNKNOWN + b"\r\n"), section="9110 5.3"
    ),
    send_authorization("Proxy-Authorization", b"Proxy-Authorization: Bearer a\r\n", section="9110 11.7.2"),
    send_authorization("a word", b"Authorization: Bearer a\r\n", INVALID, "6750 2.1"),
    send_authorization("two words", b"Authorization: Bearer a b\r\n", INVALID, "6750 2.1"),
    send_authorization("a comma", b"Authorization: Bearer a,b\r\n", INVALID, "6750 2.1"),
    send_authorization("a parameter", b'Authorization: Bearer realm="a"\r\n', INVALID, "6750 2.1"),
    send_authorization("bytes beyond ASCII", b"Authorization: Bearer \xc3\xa9\r\n", INVALID, "6750 2.1"),
    send_authorization(
        "a long token", b"Authorization: Bearer " + 60_000 * b"A" + b"\r\n", INVALID, "6750 2.1"
    ),
    ask("6750 2.3", "a token in the query", b"GET /v1/token?access_token=" + UNKNOWN, b"", 422),
    ask("9110 11.6.2", "a token that is not needed", b"GET /livez", b"Authorization: Bearer a\r\n", 200),
    ask("9110 9.3.7", "OPTIONS of what needs a token", b"OPTIONS /v1/tokens", b"", 204),
    ask("9110 15.5.6", "PUT of what needs a token", b"PUT /v1/tokens", b"", 405),
    ask("9110 12.5.1", "an Accept of text", b"GET /v1/tokens", b"Accept: text/html\r\n", 406),
]
