"""Field lines (RFC 9112, section 5)."""

from tests.server.raw.rows import END, GET, HOST, get, make_row

FIELDS = [
    get("9112 5", "an empty value", b"A:\r\n", 200),
    get("9112 5", "white space around a value", b"A: \t a \t\r\n", 200),
    get("9112 5", "no space behind the colon", b"A:a\r\n", 200),
    get("9112 5.1", "a space before the colon", b"A : a\r\n", 400),
    get("9112 5.1", "a tab before the colon", b"A\t: a\r\n", 400),
    get("9112 5.1", "a space before the name", b" A: a\r\n", 400),
    get("9112 5", "no colon", b"A\r\n", 400),
    get("9112 5", "no name", b": a\r\n", 400),
    get("9112 5.2", "a folded line", b"A: a\r\n b\r\n", 400),
    get("9112 5.2", "a line folded by a tab", b"A: a\r\n\tb\r\n", 400),
    get("9110 5.5", "octets beyond ASCII", b"A: \xe4\xff\r\n", 200),
    get("9110 5.5", "a null", b"A: a\x00b\r\n", 400),
    get("9110 5.5", "a control character", b"A: a\x01b\r\n", 400),
    get("9110 5.5", "a delete", b"A: a\x7fb\r\n", 400),
    get("9110 5.5", "a bare CR", b"A: a\rb\r\n", 400),
    *(
        get("9110 5.1", f"a name with {chr(letter)!r}", b"A" + bytes([letter]) + b"B: a\r\n", status)
        for letters, status in ((b"!#$%&'*+-.^_`|~09", 200), (b'"(),/;<=>?@[\\]{} \xff', 400))
        for letter in letters
    ),
    make_row("9112 2.2", "lines that end with LF", b"GET /livez HTTP/1.1\nHost: test\n\n", 400),
    make_row("9112 2.2", "a field that ends with LF", GET + b"Host: test\n\r\n", 400),
    make_row("9112 2.2", "an empty line before", b"\r\n" + GET + HOST + END, 200),
    make_row("9112 2.2", "empty lines before", b"\r\n\r\n\r\n" + GET + HOST + END, 200),
    make_row("9112 2.2", "white space behind the request line", GET + b" \r\n" + HOST + END, 400),
    get("9110 5.4", "a field of 60 KB", b"A: " + b"a" * 60_000 + b"\r\n", 200),
    get("9110 5.4", "a field of 70 KB", b"A: " + b"a" * 70_000 + b"\r\n", 431),
    get("9110 5.4", "fields of 70 KB", b"A: a\r\n" * 36_000, 431),
    get("9112 5", "a colon in a value", b"A: b: c\r\n", 200),
    get("9112 5", "a line of white space", b" \r\n", 400),
    get("9112 5.2", "a folded value of nothing", b"A:\r\n \r\n", 400),
    get("9112 5", "a value of white space", b"A: \t \r\n", 200),
    get("9112 5.1", "a colon alone", b":\r\n", 400),
    get("9112 2.2", "two carriage returns", b"A: a\r\r\n", 400),
    get("9112 2.2", "LF and CR", b"A: a\n\rB: b\r\n", 400),
    get("9112 2.2", "a bare CR in a name", b"A\rB: a\r\n", 400),
    get("9112 2.2", "a bare CR before a line", b"\rA: a\r\n", 400),
    get("9110 5.5", "a vertical tab", b"A: a\x0bb\r\n", 400),
    get("9110 5.5", "a form feed", b"A: a\x0cb\r\n", 400),
    get("9110 5.5", "an escape", b"A: \x1b[2J\r\n", 400),
    get("9110 5.5", "a tab within a value", b"A: a\tb\r\n", 200),
    get("9110 5.5", "UTF-8", "A: \u20ac\r\n".encode(), 200),
    get("9110 5.5", "a quoted string that is not closed", b'A: "a\r\n', 200),
    get("9110 5.1", "a name of 200 characters", b"A" * 200 + b": a\r\n", 200),
    get("9110 5.1", "a name of 70 KB", b"A" * 70_000 + b": a\r\n", 431),
    get("9110 5.2", "a field in 500 lines", 500 * b"A: a\r\n", 200),
    get("9110 5.1", "500 fields", b"".join(b"A%d: a\r\n" % number for number in range(500)), 200),
    get("9110 5.4", "empty fields of 70 KB", b"A:\r\n" * 36_000 * 2, 431),
    get("9110 10.1.2", "From, Referer and User-Agent", b"From: a\r\nReferer: b\r\nUser-Agent: (c\r\n", 200),
    get("9110 11.6.2", "credentials that nobody asked for", b"Authorization: Negotiate =\r\n", 200),
    get("6265 5.4", "cookies", b"Cookie: a=b; c; =; \x80\r\n", 200),
    get("9110 7.6.2", "Max-Forwards, for GET", b"Max-Forwards: 0\r\n", 200),
    get("9110 7.6.3", "Via", b"Via: 1.1 a, 2 b:80 (c), HTTP/3 [::1]\r\n", 200),
    get("9110 10.1.4", "TE", b"TE: trailers, gzip;q=0.5\r\nConnection: TE\r\n", 200),
    get("9110 12.5.4", "Accept-Language", b"Accept-Language: *;q=0\r\n", 200),
    get("9110 12.5.2", "Accept-Charset", b"Accept-Charset: utf-16\r\n", 200),
    get("9110 12.5.3", "Accept-Encoding without identity", b"Accept-Encoding: gzip, identity;q=0\r\n", 200),
    get("7239 4", "Forwarded", b'Forwarded: for="[::1]:a";proto=https;host=evil\r\n', 200),
    *(
        get("7239 7.1", f"X-Forwarded-For {value!r}", b"X-Forwarded-For: " + value + b"\r\n", 200)
        for value in (
            b"192.0.2.7",
            b"192.0.2.7, 192.0.2.8",
            b"",
            b",",
            b"unknown",
            b"_hidden",
            b"[2001:db8::7]:80",
            b"2001:db8::7%eth0",
            b"999.999.999.999",
            b"\xff",
            b'"; DROP TABLE names; --',
            b"a, " * 1000,
            b"1" * 5000,
        )
    ),
    get("7239 5.4", "X-Forwarded-Proto", b"X-Forwarded-Proto: gopher\r\n", 200),
    get("7239 5.4", "X-Forwarded-Proto of a WebSocket", b"X-Forwarded-Proto: wss\r\n", 200),
]

BYTES = [
    get("9110 5.5", f"octet {octet:#04x} in a value", b"A: a%cb\r\n" % octet, 400)
    for octet in (*range(2, 9), *range(14, 32))
]
