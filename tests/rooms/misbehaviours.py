"""What an HTTP server has been seen to do wrong, and the class the protocol gives each answer.

A row is a name, what the peer does once it read our request, and the class of section 8. Rows that
say nothing about lanes hold for a single invoice, a bundle and a query alike.
"""

import gzip
from collections.abc import Callable, Iterator

from tests.core.test_wire_answers import sample
from tests.rooms.hostile_peer import answer, half_closed, hold, pour, reset_after, say
from tests.rooms.misbehaviour import (
    FAULT,
    Class,
    Good,
    Misbehaviour,
    cut_at,
    fault,
    fixed,
    good_as,
    said,
)

LIMIT = sample("429_3001.json").body
EXPIRED = sample("401_3200.json").body
HTML = b"<!DOCTYPE html><html><head><title>Sign in to Campus-WiFi</title></head></html>"
CRLF = b"\r\n"


def _bare(good: Good, *, version: bytes = b"HTTP/1.1", status: bytes = b"200 OK") -> bytes:
    """Return the good answer without a length: it ends where the connection ends."""
    return version + b" " + status + b"\r\nContent-Type: application/json\r\n\r\n" + good.body


def _chunked(body: bytes, *, size: int = 7, extra: bytes = b"") -> bytes:
    pieces = (body[at : at + size] for at in range(0, len(body), size))
    return b"".join(b"%x%s\r\n%s\r\n" % (len(piece), extra, piece) for piece in pieces)


def _in_chunks(chunks: bytes, *, headers: bytes = b"") -> bytes:
    return (
        b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n"
        + headers
        + CRLF
        + chunks
    )


def _row(name: str, make: Callable[[Good], bytes], means: Class = Class.UNKNOWN) -> Misbehaviour:
    return Misbehaviour(name, said(make), means)


def _cut() -> Iterator[Misbehaviour]:
    for part, where in (
        (0, "before the head"),
        (1, "at byte 1"),
        (12, "in the status line"),
        (60, "in the head"),
    ):
        yield Misbehaviour(f"reset {where}", cut_at(part, by=reset_after), Class.UNKNOWN)
        yield Misbehaviour(f"ended {where}", cut_at(part, by=say), Class.UNKNOWN)
    yield Misbehaviour(
        "reset in the body", lambda good: reset_after(good.whole[:-40]), Class.UNKNOWN
    )
    yield Misbehaviour("ended one byte early", said(lambda good: good.whole[:-1]), Class.UNKNOWN)
    yield Misbehaviour(
        "half closed in the body", lambda good: half_closed(good.whole[:-9]), Class.UNKNOWN
    )
    yield Misbehaviour("silent for ever", lambda _good: hold(b""), Class.UNKNOWN)
    yield Misbehaviour("stalled in the head", lambda good: hold(good.whole[:40]), Class.UNKNOWN)
    yield Misbehaviour("stalled in the body", lambda good: hold(good.whole[:-9]), Class.UNKNOWN)
    yield Misbehaviour("a refusal cut in its body", said(lambda _good: fault()[:-2]), Class.UNKNOWN)
    yield Misbehaviour(
        "a refusal stalled in its body", lambda _good: hold(fault()[:-2]), Class.UNKNOWN
    )


def _lengths() -> Iterator[Misbehaviour]:
    yield _row("length 10 too long", lambda g: answer(g.body, content_length=str(len(g.body) + 10)))
    yield _row(
        "length 10 too short", lambda g: answer(g.body, content_length=str(len(g.body) - 10))
    )
    yield _row("length negative", lambda g: answer(g.body, content_length="-1"))
    yield _row("length a word", lambda g: answer(g.body, content_length="many"))
    yield _row("length of 5,000 digits", lambda g: answer(g.body, content_length="9" * 5000))
    yield _row("length 0 with a body", lambda g: answer(g.body, content_length="0"))
    yield _row("length in hexadecimal", lambda g: answer(g.body, content_length=hex(len(g.body))))
    yield _row(
        "two lengths that differ",
        lambda g: g.whole.replace(b"connection:", b"content-length: 7\r\nconnection:"),
    )
    yield _row(
        "two lengths that agree",
        lambda g: g.whole.replace(
            b"connection:", b"content-length: %d\r\nconnection:" % len(g.body)
        ),
        Class.OK,
    )
    yield _row("no length, ended by the connection", _bare, Class.OK)
    yield _row("no length, ended one byte early", lambda g: _bare(g)[:-1])
    yield _row("a refusal with too long a length", lambda _g: fault(content_length="99999"))


def _chunks() -> Iterator[Misbehaviour]:
    end = b"0\r\n\r\n"
    yield _row("chunks of seven bytes", lambda g: _in_chunks(_chunked(g.body) + end), Class.OK)
    yield _row(
        "chunks with extensions and a trailer",
        lambda g: _in_chunks(_chunked(g.body, extra=b";a=b") + b"0\r\nx-sum: 1\r\n\r\n"),
        Class.OK,
    )
    yield _row("chunks without the last", lambda g: _in_chunks(_chunked(g.body)))
    yield _row("chunk longer than it says", lambda g: _in_chunks(b"5\r\n" + g.body + CRLF + end))
    yield _row(
        "chunk shorter than it says",
        lambda g: _in_chunks(b"%x\r\n" % (len(g.body) + 9) + g.body + CRLF + end),
    )
    yield _row("chunk size a word", lambda g: _in_chunks(b"all\r\n" + g.body + CRLF + end))
    yield _row("chunk size negative", lambda g: _in_chunks(b"-5\r\n" + g.body + CRLF + end))
    yield _row("chunk size of 40 digits", lambda g: _in_chunks(b"f" * 40 + CRLF + g.body + end))
    yield _row("chunks promised, none sent", lambda g: _in_chunks(g.body))
    yield _row("chunks ended at once", lambda _g: _in_chunks(end))
    yield _row(
        "chunks packed twice over",
        lambda g: _in_chunks(_chunked(g.body) + end).replace(b"chunked", b"chunked, chunked"),
    )
    yield _row(
        "unknown transfer coding", lambda g: _in_chunks(g.body).replace(b"chunked", b"x-compress")
    )


def _packing() -> Iterator[Misbehaviour]:
    def packed(body: bytes, *, encoding: str = "gzip") -> bytes:
        return answer(body, content_encoding=encoding)

    yield _row("gzip", lambda g: packed(gzip.compress(g.body)), Class.OK)
    yield _row("gzip said, plain sent", lambda g: packed(g.body))
    yield _row("gzip sent, plain said", lambda g: answer(gzip.compress(g.body)))
    yield _row("gzip without its end", lambda g: packed(gzip.compress(g.body)[:-9]))
    yield _row("gzip with a wrong sum", lambda g: packed(gzip.compress(g.body)[:-8] + bytes(8)))
    yield _row("gzip with rubbish behind", lambda g: packed(gzip.compress(g.body) + b"rubbish" * 9))
    yield _row(
        "gzip of two answers", lambda g: packed(gzip.compress(g.body) + gzip.compress(FAULT))
    )
    yield _row("gzip in gzip", lambda g: packed(gzip.compress(gzip.compress(g.body))))
    yield _row("brotli we never asked for", lambda g: packed(g.body, encoding="br"))
    yield _row("two encodings", lambda g: packed(gzip.compress(g.body), encoding="gzip, gzip"))
    yield _row("a refusal badly packed", lambda _g: fault(content_encoding="gzip"))


def _heads() -> Iterator[Misbehaviour]:
    early = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    yield _row("100 Continue first", lambda g: b"HTTP/1.1 100 Continue\r\n\r\n" + g.whole, Class.OK)
    yield _row("nine early hints first", lambda g: early * 9 + g.whole, Class.OK)
    yield Misbehaviour("100 Continue, then silence", lambda _g: hold(early), Class.UNKNOWN)
    yield Misbehaviour(
        "early hints for ever", lambda _g: pour(first=b"", again=early, times=10**6), Class.UNKNOWN
    )
    yield _row("101 to another protocol", lambda g: g.whole.replace(b"200 OK", b"101 Switching"))
    yield _row("HTTP/1.0", lambda g: g.whole.replace(b"HTTP/1.1", b"HTTP/1.0"), Class.OK)
    yield _row("HTTP/1.0 without a length", lambda g: _bare(g, version=b"HTTP/1.0"), Class.OK)
    yield _row("HTTP/0.9", lambda g: g.body)
    yield _row("HTTP/2 in a HTTP/1 line", lambda g: g.whole.replace(b"HTTP/1.1", b"HTTP/2"))
    yield _row("HTTP/7.7", lambda g: g.whole.replace(b"HTTP/1.1", b"HTTP/7.7"), Class.OK)
    yield _row("status of two digits", lambda g: g.whole.replace(b"200 OK", b"20 OK"))
    yield _row("status of four digits", lambda g: g.whole.replace(b"200 OK", b"2000 OK"))
    yield _row("status 999", lambda g: g.whole.replace(b"200 OK", b"999 OK"))
    yield _row("status without a reason", lambda g: g.whole.replace(b" OK", b""), Class.OK)
    yield _row("status 000", lambda g: g.whole.replace(b"200 OK", b"000 OK"))


def _headers() -> Iterator[Misbehaviour]:
    yield _row("50,000 headers", lambda _g: b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 50_000)
    yield _row("one header of 1 MB", lambda g: g.whole.replace(b"close", b"z" * 1_000_000))
    yield Misbehaviour(
        "headers for ever",
        lambda _g: pour(first=b"HTTP/1.1 200 OK\r\n", again=b"x: y\r\n" * 99, times=10**5),
        Class.UNKNOWN,
    )
    yield _row("header without a name", lambda g: g.whole.replace(b"connection", b""))
    yield _row("header with a NUL", lambda g: g.whole.replace(b"close", b"clo\x00se"))
    yield _row(
        "header folded over two lines", lambda g: g.whole.replace(b"close", b"a\r\n b"), Class.OK
    )
    yield _row("lines ended by LF", lambda g: g.whole.replace(CRLF, b"\n"), Class.OK)
    yield _row("an empty line first", lambda g: CRLF + g.whole)
    yield _row("mail server's greeting", lambda _g: b"220 mail.example.org ESMTP\r\n")
    yield _row("TLS hello", lambda _g: b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(99))
    yield _row("TLS alert", lambda _g: b"\x15\x03\x03\x00\x02\x02\x46")
    yield _row("zeros", lambda _g: bytes(4096))
    yield _row(
        "a Date beyond our calendar",
        lambda g: answer(g.body, date="Fri, 31 Dec 9999 23:59:59 -2300"),
        Class.OK,
    )
    yield _row(
        "a Date of 30 digits",
        lambda g: answer(g.body, date=f"Tue, 24 Nov {'9' * 30} 08:00:00 GMT"),
        Class.OK,
    )


def _statuses() -> Iterator[Misbehaviour]:
    def page(status: str, means: Class = Class.UNKNOWN, **headers: str) -> Misbehaviour:
        whole = answer(HTML, status=status, kind="text/html", **headers)
        return Misbehaviour(f"page under {status}", fixed(whole), means)

    for status in (
        "200 OK",
        "400 Bad Request",
        "403 Forbidden",
        "404 Not Found",
        "408 Request Timeout",
        "409 Conflict",
        "500 Internal Server Error",
        "502 Bad Gateway",
        "503 Service Unavailable",
        "511 Network Authentication Required",
    ):
        yield page(status)
    yield page("401 Unauthorized")
    yield page("407 Proxy Authentication Required", proxy_authenticate="Basic realm=proxy")
    yield page("429 Too Many Requests", Class.PAUSE)


def _bodies_under() -> Iterator[Misbehaviour]:
    for status in (
        "201 Created",
        "202 Accepted",
        "206 Partial Content",
        "226 IM Used",
        "300 Multiple Choices",
        "404 Not Found",
        "500 Internal Server Error",
        "503 Service Unavailable",
    ):
        yield Misbehaviour(
            f"good body under {status}",
            good_as(status=status),
            Class.UNKNOWN,
        )
    for status in (
        "201 Created",
        "204 No Content",
        "304 Not Modified",
        "404 Not Found",
        "405 Method Not Allowed",
        "500 Internal Server Error",
    ):
        yield Misbehaviour(f"refusal under {status}", fixed(fault(status=status)), Class.UNKNOWN)


def _refusals_under() -> Iterator[Misbehaviour]:
    yield Misbehaviour("refusal under 400", fixed(fault()), Class.REFUSED)
    yield Misbehaviour("refusal under 200", fixed(fault(status="200 OK")), Class.REFUSED)
    yield Misbehaviour(
        "limit under 503", fixed(fault(LIMIT, status="503 Service Unavailable")), Class.PAUSE
    )
    yield Misbehaviour(
        "limit with a strange Retry-After",
        fixed(fault(LIMIT, status="429 Too Many", retry_after="9" * 40, date="never")),
        Class.PAUSE,
    )
    yield Misbehaviour(
        "sign-in refused again and again",
        fixed(fault(EXPIRED, status="401 Unauthorized")),
        Class.SIGN_IN,
    )
    for status in ("301 Moved", "302 Found", "303 See Other", "307 Temporary", "308 Permanent"):
        yield Misbehaviour(
            f"redirect by {status}",
            fixed(answer(b"", status=status, location="https://thief.example/v3")),
            Class.UNKNOWN,
        )


TABLE: tuple[Misbehaviour, ...] = (
    *_cut(),
    *_lengths(),
    *_chunks(),
    *_packing(),
    *_heads(),
    *_headers(),
    *_statuses(),
    *_bodies_under(),
    *_refusals_under(),
)
