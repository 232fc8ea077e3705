"""Whole HTTP answers whose body is wrong, and the class the protocol gives each."""

import socket
from collections.abc import Callable, Iterator

from tests.core.test_wire_answers import sample
from tests.rooms.hostile_peer import answer, say
from tests.rooms.misbehaviour import (
    FAULT,
    GOOD,
    Class,
    Good,
    Lane,
    Misbehaviour,
    fault,
    fixed,
    good_as,
    said,
)


def _row(name: str, make: Callable[[Good], bytes], means: Class = Class.UNKNOWN) -> Misbehaviour:
    return Misbehaviour(name, said(lambda good: answer(make(good))), means)


def _first(name: str, make: Callable[[Good], bytes]) -> Misbehaviour:
    return Misbehaviour(
        name, said(lambda good: answer(make(good))), Class.UNKNOWN, first_place_only=True
    )


def _bodies() -> Iterator[Misbehaviour]:
    total = b'"TotalAmt":100'
    yield _row("empty body", lambda _g: b"")
    yield _row("null", lambda _g: b"null")
    yield _row("list on top", lambda g: b"[" + g.body + b"]")
    yield _row("JSON cut", lambda g: g.body[:-7])
    yield _row("JSON twice", lambda g: g.body + g.body)
    yield _row("refusal behind the answer", lambda g: g.body + FAULT)
    yield _row("NaN", lambda g: g.changed(total, b'"TotalAmt":NaN'))
    yield _row("Infinity", lambda g: g.changed(total, b'"TotalAmt":-Infinity'))
    yield _row("total as text", lambda g: g.changed(total, b'"TotalAmt":"100"'))
    yield _row("total of 400 digits", lambda g: g.changed(total, b'"TotalAmt":1' + b"0" * 400))
    yield _row("total of 9,000 digits", lambda g: g.changed(total, b'"TotalAmt":1' + b"0" * 9000))
    yield _row("total with a huge power", lambda g: g.changed(total, b'"TotalAmt":1e999999999'))
    yield _row("id doubled", lambda g: g.changed(b'"Id":"266"', b'"Id":"266","Id":"267"'))
    yield _row("id doubled, the same", lambda g: g.changed(b'"Id":"266"', b'"Id":"266","Id":"266"'))
    yield _first("id a number", lambda g: g.changed(b'"Id":"266"', b'"Id":266'))
    yield _first("id empty", lambda g: g.changed(b'"Id":"266"', b'"Id":""'))
    yield _first("id null", lambda g: g.changed(b'"Id":"266"', b'"Id":null'))
    yield _first("id missing", lambda g: g.changed(b'"Id":"266",', b""))
    yield _first("id in Arabic digits", lambda g: g.changed(b'"Id":"266"', '"Id":"٢٦٦"'.encode()))
    yield _first(
        "marked deleted", lambda g: g.changed(b'"Id":"266"', b'"Id":"266","status":"Deleted"')
    )
    yield _row(
        "created beyond our calendar",
        lambda g: g.changed(b"2020-09-29T05:58:07-07:00", b"0001-01-01T00:00:00+14:00"),
        Class.OK,
    )
    yield _row(
        "new fields and values",
        lambda g: g.changed(b'"domain":"QBO"', b'"domain":"QBX","Novel":{"Kind":[1,null,true]}'),
        Class.OK,
    )


def _spellings() -> Iterator[Misbehaviour]:
    yield _row("invalid UTF-8", lambda g: g.changed(b"QBO", b"Q\xffO"))
    yield _row("UTF-16", lambda g: g.body.decode().encode("utf-16"))
    yield _row("byte order mark", lambda g: b"\xef\xbb\xbf" + g.body)
    yield _row("half a surrogate pair", lambda g: g.changed(b"QBO", b"\\ud800"))
    yield _row("control characters", lambda g: g.changed(b"QBO", b"Q\x00O"))
    yield _row(
        "65 levels deep", lambda g: g.changed(b'"domain":"QBO"', b'"d":' + b"[" * 70 + b"]" * 70)
    )
    yield _row("100,000 levels deep", lambda _g: b'{"a":' + b"[" * 100_000)
    yield _row("script for another site", lambda g: b")]}',\n" + g.body)
    yield _row("single quotes", lambda g: g.body.replace(b'"', b"'"))
    yield _row("a comma too many", lambda g: g.body[:-1] + b",}")
    yield _row("refusal and entity", lambda g: g.body[:-1] + b"," + FAULT[1:])


def _types() -> Iterator[Misbehaviour]:
    for kind in (
        "text/html",
        "text/plain",
        "application/xml",
        "application/json-seq",
        "application/problem+json",
        "application/octet-stream",
        "",
    ):
        yield Misbehaviour(
            f"good body as {kind or 'nothing'}",
            good_as(kind=kind),
            Class.UNKNOWN,
        )
    yield Misbehaviour(
        "two types at once",
        said(lambda g: g.whole.replace(b"connection:", b"content-type: text/html\r\nconnection:")),
        Class.UNKNOWN,
    )
    yield Misbehaviour("refusal as a page", fixed(fault(content_type="text/html")), Class.UNKNOWN)


def _refusals() -> Iterator[Misbehaviour]:
    def row(name: str, body: bytes, means: Class = Class.UNKNOWN) -> Misbehaviour:
        return Misbehaviour(f"refusal {name}", fixed(fault(body)), means)

    code = b'"code":"2010"'
    assert code in FAULT
    yield row("with a code nobody knows", FAULT.replace(code, b'"code":"77777"'))
    yield row("with its code doubled", FAULT.replace(code, code + b"," + code))
    yield row("with its code in two spellings", FAULT.replace(code, code + b',"Code":"5010"'))
    yield row(
        "with its code in two spellings, turned", FAULT.replace(code, b'"Code":"5010",' + code)
    )
    yield row("with a number for its code", FAULT.replace(code, b'"code":2010'))
    yield row("with a list for its code", FAULT.replace(code, b'"code":["2010"]'))
    yield row("with its code in Arabic digits", FAULT.replace(b'"2010"', '"٢٠١٠"'.encode()))
    yield row("without an error", b'{"Fault":{"Error":[],"type":"ValidationFault"}}')
    yield row("that is a word", b'{"Fault":"ValidationFault"}')
    yield row("one of two unknown", FAULT.replace(b'"Error":[', b'"Error":[{"code":"1"},'))
    yield row("one of two a word", FAULT.replace(b'"Error":[', b'"Error":["2010",'))
    yield row(
        "in both envelopes, one unclear", FAULT[:-1] + b',"fault":{"error":[{"code":"5010"}]}}'
    )
    yield row("in both envelopes, turned", b'{"fault":{"error":[{"code":"5010"}]},' + FAULT[1:])


def _others() -> Iterator[Misbehaviour]:
    def bundle(name: str, before: bytes, after: bytes) -> Misbehaviour:
        def make(good: Good) -> bytes:
            return answer(good.changed(before, after))

        return Misbehaviour(name, said(make), Class.UNKNOWN, (Lane.BUNDLE,))

    for lane in Lane:
        yield Misbehaviour(
            f"the answer of a {lane}",
            fixed(GOOD[lane].whole),
            Class.UNKNOWN,
            tuple(each for each in Lane if each is not lane),
        )
    yield Misbehaviour("a customer", fixed(answer(sample("200_customer.json").body)), Class.UNKNOWN)
    yield Misbehaviour("an empty object", fixed(answer(b"{}")), Class.UNKNOWN)
    yield Misbehaviour(
        "an echo of the request", lambda _good: _echo, Class.UNKNOWN, (Lane.SINGLE, Lane.BUNDLE)
    )
    yield bundle("places swapped for foreign ones", b'"bId":"i0', b'"bId":"x0')
    yield bundle("one place twice", b'"bId":"i01"', b'"bId":"i00"')
    yield bundle("places as numbers", b'"bId":"i0', b'"bId":0,"b":"')
    yield bundle("places in capitals", b'"bId":"i', b'"bId":"I')
    yield bundle("places in an object", b'"BatchItemResponse":[', b'"BatchItemResponse":{"a":[')
    yield Misbehaviour(
        "rows fewer than said",
        said(lambda g: answer(g.changed(b'"maxResults":1', b'"maxResults":2'))),
        Class.UNKNOWN,
        (Lane.QUERY,),
    )
    yield Misbehaviour(
        "rows under a name in capitals",
        said(lambda g: answer(g.changed(b'"Invoice"', b'"INVOICE"'))),
        Class.UNKNOWN,
    )


def _echo(line: socket.socket, request: bytes) -> None:
    say(answer(request.partition(b"\r\n\r\n")[2]))(line, request)


BODIES: tuple[Misbehaviour, ...] = (*_bodies(), *_spellings(), *_types(), *_refusals(), *_others())
