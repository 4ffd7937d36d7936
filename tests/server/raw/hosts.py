"""Host (RFC 9112, section 3.2)."""

from tests.server.raw.rows import END, GET, HOST, Row, make_row


def send_host(value: bytes, *statuses: int) -> Row:
    """Make a row of a GET with a value of Host."""
    what = f"host {value.decode('latin-1')!r}"
    return make_row("9112 3.2", what, GET + b"Host: " + value + b"\r\n\r\n", *statuses)


HOSTS = [
    *(
        send_host(value, 200)
        for value in (
            b"test",
            b"test:8000",
            b"test:",
            b"",
            b"127.0.0.1",
            b"127.0.0.1:8000",
            b"[::1]",
            b"[::1]:8000",
            b"a.b-c.d_e~f",
            b"TEST.example",
            b"%61",
            b"a,b",
            b"test.",
            b"test:00080",
            b"xn--bcher-kva.example",
            b"b%C3%BCcher.example",
            b"[fe80::1]:80",
            b"[::ffff:192.0.2.1]",
            b"[v1.fe80:a]",
            b"192.0.2.999",
            b"a..b",
            b"!$&'()*+,;=",
        )
    ),
    *(
        send_host(value, 400)
        for value in (
            b"a b",
            b"a/b",
            b"a?b",
            b"a#b",
            b"user@test",
            b"http://test",
            b"test:80:80",
            b"test:port",
            b"test:-1",
            b"[::1",
            b"::1",
            b"[test]",
            b"a\\b",
            b"a\tb",
            b"\xff",
            b'"test"',
            b"<test>",
            b"a|b",
            b"{a}",
            b"a^b",
            b"a`b",
            b"a%",
            b"%zz",
            b"a%2",
            b"[:::]",
            b"[1.2.3.4]",
            b"[::1]a",
            b"[::1]]",
            b"[]",
            b"[v.a]",
            b"[v1.]",
            b"@test",
            b"test@",
            b"test/",
            b"//test",
            b"test:8000/livez",
            b"test, other",
        )
    ),
    make_row("9112 3.2", "no Host", GET + END, 400),
    make_row("9112 3.2", "Host twice", GET + HOST + HOST + END, 400),
    make_row("9112 3.2", "Host twice, unlike", GET + HOST + b"host: other\r\n" + END, 400),
    make_row("9112 3.2", "Host among others", GET + b"A: a\r\n" + HOST + b"B: b\r\n" + END, 200),
    make_row("9112 3.2", "Host in capitals", GET + b"HOST: test\r\n" + END, 200),
    make_row("9112 3.2", "HTTP/1.0 without Host", b"GET /livez HTTP/1.0\r\n\r\n", 200, closes=True),
    make_row("9112 3.2", "HTTP/1.0 with Host twice", b"GET /livez HTTP/1.0\r\n" + HOST + HOST + END, 400),
    make_row("9112 3.2", "Host behind a tab", GET + b"Host:\ttest\r\n" + END, 200),
    make_row("9112 3.2", "Host without white space", GET + b"Host:test\r\n" + END, 200),
    make_row("9112 3.2", "Host last", GET + b"A: a\r\nB: b\r\n" + HOST + END, 200),
    make_row("9112 3.2", "an empty Host twice", GET + 2 * b"Host:\r\n" + END, 400),
    make_row("9112 5.2", "Host in a folded line", GET + b"Host:\r\n test\r\n" + END, 400),
    make_row("9112 5.1", "a space before the colon of Host", GET + b"Host : test\r\n" + END, 400),
    make_row("9112 3.2", "X-Forwarded-Host alone", GET + b"X-Forwarded-Host: test\r\n" + END, 400),
    make_row("9112 3.2", "HTTP/1.0 with an invalid Host", b"GET /livez HTTP/1.0\r\nHost: a b\r\n\r\n", 400),
]
