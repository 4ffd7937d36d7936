"""Bodies: JSON (RFC 8259), and what I-JSON forbids (RFC 7493)."""

from tests.server.raw.rows import HOST, POST, SPEC, Row, make_row


def send(section: str, what: str, body: bytes, *statuses: int) -> Row:
    """Make a row of a POST of a body. A body that is not JSON leaves the connection open."""
    length = b"Content-Length: %d\r\n" % len(body)
    return make_row(section, what, POST + HOST + length + b"\r\n" + body, *statuses, closes=False)


def describe(body: bytes) -> str:
    """Show the start of a body."""
    return repr(body if len(body) < 60 else body[:20] + b"..." + body[-20:])[2:-1]


TEXTS = {
    ("8259 2", 200): (
        SPEC,
        b" \t\r\n" + SPEC + b" \t\r\n",
        b'{ "shape" : [ 5 , 7 ] }',
        b'{"shape":[5,7],"name":"\\u0041\\n\\/\\"\\\\"}',
        b'{"sh\\u0061pe":[5,7]}',
        '{"shape":[5,7],"name":"\u20ac\U0001f600"}'.encode(),
        b'{"shape":[5,7],"name":"\\ud83d\\ude00"}',
        b'{"shape":[5,7],"name":"\x7f"}',
        b'{"shape":[5,7],"scheme":"variance_scaling","scale":1e0}',
        b'{"shape":[5,7],"scheme":"variance_scaling","scale":1E+1}',
        b'{"shape":[5,7],"scheme":"variance_scaling","scale":0.5}',
        b'{"shape":[5,7],"seed":18446744073709551615}',
        b'{"shape":[5,7],"seed":"18446744073709551615"}',
        b'{"shape":[5,7],"fan_in":null}',
    ),
    ("8259 2", 400): (
        b" ",
        b"{",
        b"}",
        b"[",
        b'{"shape"}',
        b'{"shape":}',
        b'{"shape":[5,7],}',
        b'{"shape":[5,7,]}',
        b'{,"shape":[5,7]}',
        b'{"shape":[5 7]}',
        b'{"shape"=[5,7]}',
        b"{'shape':[5,7]}",
        b"{shape:[5,7]}",
        b'{"shape":[5,7]}}',
        b'{"shape":[5,7]}{}',
        b'{"shape":[5,7]};',
        b'{"shape":[5,7]}\x00',
        b'\x00{"shape":[5,7]}',
        b'\x0c{"shape":[5,7]}',
        b'{"shape":[5,7]}\x0b',
        b'{"shape":[5,7]} // a',
        b'/* a */{"shape":[5,7]}',
        b'\xc2\xa0{"shape":[5,7]}',
        b"shape=5,7",
        b"<shape>5,7</shape>",
        b"True",
        b"undefined",
        b"nul",
    ),
    ("8259 6", 400): (
        b'{"seed":01}',
        b'{"seed":-01}',
        b'{"seed":+1}',
        b'{"seed":.5}',
        b'{"seed":1.}',
        b'{"seed":1e}',
        b'{"seed":0x1}',
        b'{"seed":1_000}',
        b'{"seed":1,000}',
        b'{"seed":\xd9\xa1}',
        b'{"seed":--1}',
        b'{"seed":Inf}',
    ),
    ("8259 6", 422): (
        b'{"shape":[5,7],"scale":NaN}',
        b'{"shape":[5,7],"scale":Infinity}',
        b'{"shape":[5,7],"scale":-Infinity}',
        b'{"shape":[5,7],"scale":1e400}',
        b'{"shape":[5,7],"seed":-1}',
        b'{"shape":[5,7],"seed":1.5}',
        b'{"shape":[5,7],"seed":18446744073709551616}',
        b'{"shape":[5,7],"seed":' + b"9" * 5000 + b"}",
        b'{"shape":[5,' + b"9" * 50 + b"]}",
        b'{"shape":[5,7],"seed":-' + b"9" * 5000 + b"}",
    ),
    ("8259 7", 400): (
        b'{"name":"',
        b'{"name":"\\"}',
        b'{"name":"\\x41"}',
        b'{"name":"\\u12"}',
        b'{"name":"\\u12g4"}',
        b'{"name":"a\nb"}',
        b'{"name":"a\x00b"}',
        b'{"name":"a\tb"}',
        b'{"name":"\x1f"}',
    ),
    ("8259 8.1", 400): (
        b"\xef\xbb\xbf" + SPEC,
        '{"shape":[5,7]}'.encode("utf-16"),
        '{"shape":[5,7]}'.encode("utf-16-le"),
        '{"shape":[5,7]}'.encode("utf-32"),
        b'{"name":"\xff"}',
        b'{"name":"\xe4"}',
        b'{"name":"\xc0\x80"}',
        b'{"name":"\xc0\xaf"}',
        b'{"name":"\xed\xa0\x80"}',
        b'{"name":"\xed\xa0\xbd\xed\xb8\x80"}',
        b'{"name":"\xf4\x90\x80\x80"}',
        b'{"name":"\xe2\x82"}',
        b'{"\xff":1}',
    ),
    ("8259 8.2", 422): (
        b'{"shape":[5,7],"name":"\\ud800"}',
        b'{"shape":[5,7],"name":"\\udc00\\ud800"}',
        b'{"shape":[5,7],"name":"\\udead"}',
        b'{"shape":[5,7],"\\ud800":1}',
        b'{"shape":[5,7],"activation":"\\ud800"}',
    ),
    ("7493 2.3", 422): (
        b'{"shape":[5,7],"shape":[5,7]}',
        b'{"shape":[5,7],"seed":1,"seed":2}',
        b'{"shape":[5,7],"sh\\u0061pe":[5,7]}',
        b'{"shape":[{"a":1,"a":1}]}',
        b'{"shape":[5,7],' + b'"a":1,' * 1000 + b'"a":2}',
    ),
    ("9110 15.5.21", 422): (
        b"[]",
        b"{}",
        b"null",
        b"true",
        b"1",
        b'"a"',
        b"-0",
        b"[{}]",
        b'{"shape":[]}',
        b'{"shape":[0]}',
        b'{"shape":[-1]}',
        b'{"shape":[1.0,2]}',
        b'{"shape":[true,2]}',
        b'{"shape":["5","7"]}',
        b'{"shape":"5,7"}',
        b'{"shape":{"0":5}}',
        b'{"shape":[5,7],"":1}',
        b'{"shape":[5,7],"__proto__":{}}',
        b'{"shape":[5,7],"Shape":[5,7]}',
        b'{"shape":[5,7],"layout":["I","O"]}',
        b'{"shape":[5,7],"name":' + b'"' + b"a" * 1025 + b'"}',
        b'{"shape":[' + b"1," * 9 + b"1]}",
    ),
    ("8259 9", 400): (
        b"[" * 30_000,
        b'{"a":' * 10_000,
        b'{"shape":' + b"[" * 20_000 + b"]" * 20_000 + b"}",
        b'{"a":' * 9000 + b"1" + b"}" * 9000,
    ),
    ("8259 9", 422): (
        b'{"shape":' + b"[" * 100 + b"]" * 100 + b"}",
        b'{"shape":[5,7],"a":' + b"[" * 50 + b"]" * 50 + b"}",
    ),
}

BODIES = [
    send(section, f"{status} {len(body)} bytes {describe(body)}", body, status)
    for (section, status), bodies in TEXTS.items()
    for body in bodies
]
