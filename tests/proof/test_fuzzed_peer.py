"""TN1: answers spoiled in their JSON, their HTTP and their bytes come over a real connection.

What we make of each is held against another reading of the same bytes: the standard library's HTTP
and the tests' own reading of QuickBooks. Where those find nothing created there is no success, and
where they find no refusal there is none, whatever else went wrong.
"""

import gzip
import http.client
import io
import os
import zlib
from collections import Counter
from collections.abc import Mapping
from random import Random
from socket import socket
from typing import cast

import pytest

from application.invoices.model import Kind
from application.invoices.outcomes import Ok, Outcome, Unknown
from application.quickbooks.answers import Answer
from application.quickbooks.client import Bundle, Single
from application.quickbooks.wire import judge
from tests.core.reading_again import body_of
from tests.core.spoiling import GOOD, RAW, spoiled
from tests.core.test_classifier_fuzz import check, member_of
from tests.proof.figures import PROVING, told
from tests.rooms.hostile_peer import HostilePeer, reset_after
from tests.rooms.test_quickbooks_peer import Setting, sending

CASES = 10_000 if PROVING else 300
SEED = int(os.environ.get("SEED", "1"))  # noqa: TID251 - the tests' own switch, no setting
REASON = b"Whatever"
PLACES = 2
CREATED = tuple(one for one in GOOD if isinstance(judge(one, kind=Kind.INVOICE), Ok))


class Peer:
    """Says the same bytes to whoever connects, until it is told others."""

    def __init__(self) -> None:
        self.says = b""
        self.resets = False

    def __call__(self, line: socket, request: bytes) -> None:
        if self.resets:
            reset_after(self.says)(line, request)
        else:
            line.sendall(self.says)


class _Heard:
    """What a socket would have brought, for the standard library to read."""

    def __init__(self, whole: bytes) -> None:
        self._whole = whole

    def makefile(self, _mode: str) -> io.BytesIO:
        return io.BytesIO(self._whole)


def written(answer: Answer, *, chance: Random) -> bytes:
    """Return an answer as the bytes of an HTTP answer, in one of its many forms."""
    body, lines = answer.body, [f"Content-Type: {answer.content_type}".encode("utf-8", "replace")]
    if answer.challenge is not None:
        lines.append(b"WWW-Authenticate: " + answer.challenge.encode("latin-1", "replace"))
    if answer.retry_after is not None:
        lines.append(b"Retry-After: " + answer.retry_after.encode("latin-1", "replace"))
    if chance.random() < 0.3:
        body = gzip.compress(body)
        lines.append(b"Content-Encoding: gzip")
    if chance.random() < 0.5:
        lines.append(b"Content-Length: %d" % len(body))
    else:
        lines.append(b"Transfer-Encoding: chunked")
        body = b"%x\r\n%b\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n"
    head = b"HTTP/1.1 %d %b\r\n" % (answer.status, REASON)
    return head + b"".join(line + b"\r\n" for line in lines) + b"\r\n" + body


def broken(whole: bytes, *, chance: Random) -> bytes:
    """Return the bytes of an answer after a bad road."""
    at = chance.randrange(len(whole) + 1)
    odd = bytes([chance.randrange(256)])
    head = chance.randrange(whole.find(b"\r\n\r\n") + 4)
    forms = (
        whole[:at],
        whole[:at] + chance.choice(RAW) + whole[at:],
        whole[:at] + odd + whole[at + 1 :],
        whole[:head] + odd + whole[head + 1 :],
        whole[:at] + whole[at + chance.randrange(1, 40) :],
        whole + whole,
        whole.replace(b"Content-Length: ", b"Content-Length: 1", 1),
    )
    return chance.choice(forms)


def read_again(whole: bytes) -> Answer | None:
    """Return what the standard library makes of these bytes; None where it makes nothing."""
    try:
        answer = http.client.HTTPResponse(cast("socket", _Heard(whole)), method="POST")
        answer.begin()
        body = answer.read()
        if answer.getheader("Content-Encoding", "").strip().lower() == "gzip":
            body = gzip.decompress(body)
    except (http.client.HTTPException, ValueError, OSError, OverflowError, EOFError, zlib.error):
        return None
    return Answer(
        status=answer.status,
        content_type=answer.getheader("Content-Type", ""),
        body=body,
        retry_after=answer.getheader("Retry-After"),
        challenge=answer.getheader("WWW-Authenticate"),
    )


def allowed(outcome: Outcome, *, whole: bytes, place: int | None) -> bool:
    """Return whether an outcome is nothing that the other reading does not find."""
    answer = read_again(whole)
    if answer is None:
        # Nobody can read it, so nobody may say what became of the invoice.
        return isinstance(outcome, Unknown)
    entry: Mapping[str, object] | None = body_of(answer)
    if place is not None:
        entry = member_of(entry, place=f"i{place:02d}")
    try:
        check(outcome, entry=entry, kind=Kind.INVOICE, whole=answer, member=place is not None)
    except AssertionError:
        return False
    return True


class TestAFuzzedAnswer:
    @pytest.mark.covers("E3", "E4", "E5", "E17")
    def test_over_a_connection_is_never_taken_for_what_it_is_not(self) -> None:
        peer, counted = Peer(), Counter[str]()
        with HostilePeer(peer) as door:
            for number in range(CASES):
                chance = Random(f"{SEED}.{number}")
                answer = chance.choice(chance.choice((GOOD, CREATED)))
                if chance.random() < 0.5:
                    answer = spoiled(answer, chance=chance)
                whole = written(answer, chance=chance)
                if chance.random() < 0.6:
                    whole = broken(whole, chance=chance)
                peer.says, peer.resets = whole, chance.random() < 0.05
                bundled = chance.random() < 0.3
                outcomes = self._sent(door.url, bundled=bundled)
                for place, outcome in enumerate(outcomes):
                    counted[type(outcome).__name__] += 1
                    case = f"SEED={SEED}, case {number}: {outcome}\n{whole!r}"
                    assert allowed(outcome, whole=whole, place=place if bundled else None), case
        told("TN1", fuzzed=CASES, **{f"fuzzed_{name}": n for name, n in counted.items()})
        assert min(counted.values()) > CASES // 20, counted

    def _sent(self, url: str, *, bundled: bool) -> tuple[Outcome, ...]:
        setting = Setting(url)
        members = [sending(number) for number in range(1, PLACES + 1)]
        work = Bundle.of(members) if bundled else Single(members[0])
        try:
            return setting.client.send(work, about_to_send=setting.sent.append).outcomes
        finally:
            setting.client.close()
