"""Transfer codings: chunks, extensions and trailers (RFC 9112, sections 6.1 and 7)."""

from tests.server.raw.rows import CHUNKED, CHUNKS, END, HOST, LENGTH, POST, SPEC, make_row, post

CODINGS = [
    post("9112 6.1", "chunked", CHUNKED, CHUNKS, 200),
    post("9112 6.1", "Chunked in capitals", b"Transfer-Encoding: CHUNKED\r\n", CHUNKS, 200),
    *(
        post("9112 6.1", coding.decode(), b"Transfer-Encoding: " + coding + b"\r\n", CHUNKS, 501)
        for coding in (
            b"gzip, chunked",
            b"deflate, chunked",
            b"identity, chunked",
            b"foo",
            b"gzip",
            b"identity",
            b"x-chunked",
        )
    ),
    post("9112 6.1", "chunked twice", b"Transfer-Encoding: chunked, chunked\r\n", CHUNKS, 400),
    post("9112 6.1", "chunked in two fields", CHUNKED + CHUNKED, CHUNKS, 400),
    post("9112 6.3", "chunked, but not last", b"Transfer-Encoding: chunked, gzip\r\n", CHUNKS, 400),
    make_row(
        "9112 6.1",
        "chunked in HTTP/1.0",
        POST.replace(b"1.1", b"1.0") + HOST + CHUNKED + END + CHUNKS,
        400,
    ),
    post("9112 6.3", "a length and chunks", CHUNKED + LENGTH, CHUNKS, 400),
    post("9112 6.3", "chunks and a length", LENGTH + CHUNKED, CHUNKS, 400),
    post("9112 7.1.1", "an extension", CHUNKED, CHUNKS.replace(b"\r\n{", b";a=b\r\n{"), 200),
    post("9112 7.1", "a size with zeros", CHUNKED, b"000" + CHUNKS, 200),
    *(
        post("9112 7.1", f"a size of {size!r}", CHUNKED, size + b"\r\n" + SPEC + b"\r\n0\r\n\r\n", 400)
        for size in (
            b"zz",
            b"-18",
            b"+18",
            b"0x18",
            b"",
            b" 18",
            b"1 8",
            b"18 ",
            b"1_8",
            b"ffffffffffffffffff",
        )
    ),
    post(
        "9112 7.1", "a chunk that is longer than its size", CHUNKED, b"5\r\n" + SPEC + b"\r\n0\r\n\r\n", 400
    ),
    post("9112 7.1", "chunk lines that end with LF", CHUNKED, CHUNKS.replace(b"\r\n", b"\n"), 400),
    post("9110 6.5.1", "trailers", CHUNKED, CHUNKS[:-2] + b"A: a\r\n\r\n", 200),
    post("9110 6.5.1", "Content-Type as a trailer", CHUNKED, CHUNKS[:-2] + b"Content-Type: a/b\r\n\r\n", 200),
    post("9110 6.5.1", "Host as a trailer", CHUNKED, CHUNKS[:-2] + HOST + END, 200),
    make_row(
        "9110 6.5.1",
        "Content-Type as a trailer alone",
        POST.partition(b"Content-Type")[0]
        + HOST
        + CHUNKED
        + END
        + CHUNKS[:-2]
        + POST.partition(END)[2]
        + END,
        415,
    ),
    post("9110 5.5", "white space around chunked", b"Transfer-Encoding:  \tchunked  \r\n", CHUNKS, 200),
    *(
        post("9112 6.1", f"a coding of {coding!r}", b"Transfer-Encoding: " + coding + b"\r\n", CHUNKS, status)
        for coding, status in (
            (b'"chunked"', 501),
            (b"chunked;a=b", 501),
            (b"chunke", 501),
            (b"chunkedd", 501),
            (b"xchunked", 501),
            (b"chu nked", 501),
            (b"cow", 501),
            (b"trailers", 501),
            (b"br, chunked", 501),
            (b"\xffchunked", 501),
            (b"chunked\x00", 400),
            (b"chunked\x0b", 400),
            (b"\x0bchunked", 400),
            (b"chunked, identity", 400),
            (b"", 400),
        )
    ),
    post("9112 5.2", "chunked in a folded line", b"Transfer-Encoding:\r\n chunked\r\n", CHUNKS, 400),
    post("9112 5.2", "a fold behind chunked", b"Transfer-Encoding: chunked\r\n , gzip\r\n", CHUNKS, 400),
    post(
        "9112 5.1", "a space before the colon of the coding", b"Transfer-Encoding : chunked\r\n", CHUNKS, 400
    ),
    post(
        "9112 5.1", "a tab before the colon of the coding", b"Transfer-Encoding\t: chunked\r\n", CHUNKS, 400
    ),
    post(
        "9112 5.1", "a null before the colon of the coding", b"Transfer-Encoding\0: chunked\r\n", CHUNKS, 400
    ),
    post("9112 2.2", "a bare CR before the coding", b"A: a\rTransfer-Encoding: chunked\r\n", CHUNKS, 400),
    post("9112 2.2", "a bare LF before the coding", b"A: a\nTransfer-Encoding: chunked\r\n", CHUNKS, 400),
    post("9112 6.3", "a coding that looks like one", b"Transfer_Encoding: chunked\r\n" + LENGTH, SPEC, 200),
    post("9112 6.3", "a prefixed coding", b"X-Transfer-Encoding: chunked\r\n" + LENGTH, SPEC, 200),
    post("9112 6.3", "two codings, one unknown", CHUNKED + b"Transfer-Encoding: cow\r\n", CHUNKS, 400),
    post("9112 6.3", "two codings, the last chunked", b"Transfer-Encoding: cow\r\n" + CHUNKED, CHUNKS, 501),
    post("9112 6.3", "identity and a length", b"Transfer-Encoding: identity\r\n" + LENGTH, SPEC, 400),
    post("9112 6.3", "an unknown coding and a length", b"Transfer-Encoding: cow\r\n" + LENGTH, SPEC, 400),
    post("9112 6.3", "chunks and a length of 0", b"Content-Length: 0\r\n" + CHUNKED, CHUNKS, 400),
    *(
        post(
            "9112 7.1.1", f"a chunk line {line!r}", CHUNKED, line + b"\r\n" + SPEC + b"\r\n0\r\n\r\n", status
        )
        for line, status in (
            (b"18;a", 200),
            (b'18;a="b;c"', 200),
            (b'18;a="\\""', 200),
            (b"18;a=b;c;d=e", 200),
            (b'18;GET="/livez"', 200),
            (b"18;" + b"a" * 5000, 200),
            (b"18;a=\n", 400),
            (b'18;a="\r', 400),
            (b"18;\x00", 400),
            (b"18\t", 400),
            (b"18,", 400),
            (b"18\r", 400),
            (b"18\n", 400),
            (b"1.8", 400),
            (b"18h", 400),
            (b"\x0018", 400),
            (b"10000000000000018", 400),
            (b"0" * 40 + b"18", 200),
            (b"0" * 70_000, 400),
        )
    ),
    post("9112 7.1", "a size in hexadecimal", CHUNKED, b"1A\r\n" + SPEC + b"  \r\n0\r\n\r\n", 200),
    post("9112 7.1", "a size in small hexadecimal", CHUNKED, b"1a\r\n" + SPEC + b"  \r\n0\r\n\r\n", 200),
    post(
        "9112 7.1",
        "a chunk for each byte",
        CHUNKED,
        b"".join(b"1\r\n%c\r\n" % c for c in SPEC) + b"0\r\n\r\n",
        200,
    ),
    post("9112 7.1", "a last chunk of zeros", CHUNKED, CHUNKS.replace(b"\r\n0\r\n", b"\r\n0000\r\n"), 200),
    post(
        "9112 7.1",
        "a last chunk with an extension",
        CHUNKED,
        CHUNKS.replace(b"\r\n0\r\n", b"\r\n0;a=b\r\n"),
        200,
    ),
    post("9112 7.1", "a chunk that ends with LF", CHUNKED, b"18\r\n" + SPEC + b"\n0\r\n\r\n", 400),
    post("9112 7.1", "a chunk that ends with CR", CHUNKED, b"18\r\n" + SPEC + b"\r0\r\n\r\n", 400),
    post("9112 7.1", "a chunk without its line end", CHUNKED, b"18\r\n" + SPEC + b"0\r\n\r\n", 400),
    post("9112 7.1", "a size on a line with LF", CHUNKED, b"18\n" + SPEC + b"\r\n0\r\n\r\n", 400),
    post("9112 7.1", "a last chunk with LF", CHUNKED, b"18\r\n" + SPEC + b"\r\n0\n\n", 400),
    post("9112 7.1", "no chunk but the last", CHUNKED, b"0\r\n\r\n", 400, closes=False),
    post(
        "9112 7.1.2", "a trailer with a space before its colon", CHUNKED, CHUNKS[:-2] + b"A : a\r\n\r\n", 400
    ),
    post("9112 7.1.2", "a trailer without a colon", CHUNKED, CHUNKS[:-2] + b"A\r\n\r\n", 400),
    post("9112 7.1.2", "a folded trailer", CHUNKED, CHUNKS[:-2] + b"A: a\r\n b\r\n\r\n", 400),
    post("9112 7.1.2", "a trailer with a null", CHUNKED, CHUNKS[:-2] + b"A: \0\r\n\r\n", 400),
    post(
        "9110 6.5.1", "Content-Length as a trailer", CHUNKED, CHUNKS[:-2] + b"Content-Length: 0\r\n\r\n", 400
    ),
    post("9110 6.5.1", "Expect as a trailer", CHUNKED, CHUNKS[:-2] + b"Expect: 100-continue\r\n\r\n", 200),
    post("9110 6.5.1", "If-Match as a trailer", CHUNKED, CHUNKS[:-2] + b'If-Match: "a"\r\n\r\n', 200),
    post("9110 6.5.1", "trailers of 70 KB", CHUNKED, CHUNKS[:-2] + b"A: a\r\n" * 36_000 + END, 431),
]
