"""Upgrades, which the server ignores (RFC 9110, section 7.8)."""

from tests.server.raw.rows import (
    CHUNKED,
    CHUNKS,
    END,
    GET,
    HOST,
    LENGTH,
    POST,
    SPEC,
    ask,
    get,
    make_row,
    post,
)

UPGRADES = [
    get(
        "9110 7.8",
        "h2c",
        b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AA\r\n",
        200,
    ),
    get("9110 7.8", "websocket", b"Connection: Upgrade\r\nUpgrade: websocket\r\n", 200),
    get("9110 7.8", "Upgrade without Connection", b"Upgrade: h2c\r\n", 200),
    get("9110 7.8", "TLS/1.0", b"Connection: upgrade\r\nUpgrade: TLS/1.0, HTTP/1.1\r\n", 200),
    post("9110 7.8", "h2c with a body", b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH, SPEC, 200),
    post("9110 7.8", "h2c with chunks", b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + CHUNKED, CHUNKS, 200),
    make_row(
        "9110 7.8",
        "h2c twice, with bodies",
        2 * (POST + HOST + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + LENGTH + END + SPEC),
        200,
        200,
    ),
    make_row(
        "9110 7.8",
        "h2c in HTTP/1.0",
        GET.replace(b"1.1", b"1.0") + b"Connection: Upgrade\r\nUpgrade: h2c\r\n" + END,
        200,
        closes=True,
    ),
    *(
        get("9110 7.8", f"Upgrade {value!r}", b"Connection: upgrade\r\nUpgrade: " + value + b"\r\n", 200)
        for value in (
            b"HTTP/2.0",
            b"h2c, websocket",
            b"",
            b",",
            b"h2c;a=b",
            b"IRC/6.9, RTA/x11",
            b"connect-ip",
        )
    ),
    get("9110 7.8", "two upgrades", b"Connection: upgrade\r\n" + 2 * b"Upgrade: h2c\r\n", 200),
    get("9110 7.8", "Connection twice", b"Connection: a\r\nConnection: upgrade\r\nUpgrade: h2c\r\n", 200),
    get("9110 7.8", "Connection without an Upgrade", b"Connection: upgrade\r\n", 200),
    get(
        "9110 7.8",
        "an upgrade and close",
        b"Connection: upgrade, close\r\nUpgrade: h2c\r\n",
        200,
        closes=True,
    ),
    get(
        "9110 7.8",
        "an upgrade of what closes",
        b"Connection: close\r\nConnection: upgrade\r\nUpgrade: h2c\r\n",
        200,
        closes=True,
    ),
    get(
        "6455 4.1",
        "a WebSocket's handshake",
        b"Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
        b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
        200,
    ),
    ask("9110 7.8", "an upgrade of a 404", b"GET /nothing", b"Connection: upgrade\r\nUpgrade: h2c\r\n", 404),
    ask(
        "9110 7.8", "an upgrade of OPTIONS", b"OPTIONS *", b"Connection: upgrade\r\nUpgrade: TLS/1.2\r\n", 204
    ),
    ask("9110 7.8", "an upgrade of HEAD", b"HEAD /livez", b"Connection: upgrade\r\nUpgrade: h2c\r\n", 200),
    make_row(
        "9110 7.8", "an upgrade without Host", GET + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + END, 400
    ),
    make_row(
        "9110 7.8",
        "an upgrade behind a request",
        GET + HOST + END + GET + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + END,
        200,
        200,
    ),
    make_row(
        "9110 7.8",
        "a request behind an upgrade",
        GET + HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n" + END + GET + HOST + END,
        200,
        200,
    ),
]
