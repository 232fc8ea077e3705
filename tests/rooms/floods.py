"""Answers that are far too large, and the class the protocol gives each: all are unknown."""

import gzip
import zlib
from collections.abc import Iterator

from tests.rooms.hostile_peer import pour
from tests.rooms.misbehaviour import Class, Misbehaviour, fixed

# A flushed block stands alone, so a bomb is one block said over and over.
_BLOCK_BYTES = 1024 * 1024
_PACKER = zlib.compressobj(9, wbits=31)
_BOMB_HEAD = _PACKER.compress(b'{"a":"') + _PACKER.flush(zlib.Z_FULL_FLUSH)
_BOMB_BLOCK = _PACKER.compress(b"0" * _BLOCK_BYTES) + _PACKER.flush(zlib.Z_FULL_FLUSH)
_PACKED_HEAD = (
    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Encoding: gzip\r\n"
    b"Connection: close\r\n\r\n"
)


def _floods() -> Iterator[Misbehaviour]:
    plain = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
    piece = b" " * 65536
    yield Misbehaviour(
        "body of 1 GB",
        lambda _g: pour(
            first=plain + b"Content-Length: 1073741824\r\n\r\n", again=piece, times=16384
        ),
        Class.UNKNOWN,
    )
    yield Misbehaviour(
        "body without an end",
        lambda _g: pour(
            first=plain + b"Transfer-Encoding: chunked\r\n\r\n",
            again=b"10000\r\n" + piece + b"\r\n",
            times=16384,
        ),
        Class.UNKNOWN,
    )
    yield Misbehaviour(
        "gzip bomb of 1 GB",
        lambda _g: pour(first=_PACKED_HEAD + _BOMB_HEAD, again=_BOMB_BLOCK, times=1024),
        Class.UNKNOWN,
    )
    yield Misbehaviour(
        "1 GB behind a good gzip",
        lambda g: pour(first=_PACKED_HEAD + gzip.compress(g.body), again=piece, times=16384),
        Class.UNKNOWN,
    )
    for name, value in (("lists", b"[],"), ("objects", b"{},"), ("numbers", b"0.1,")):
        many = b'{"a":[' + value * (16 * 1000 * 1000 // len(value)) + b"0]}"
        whole = _PACKED_HEAD + gzip.compress(many, compresslevel=1)
        yield Misbehaviour(f"16 MB of {name}", fixed(whole), Class.UNKNOWN)


FLOODS: tuple[Misbehaviour, ...] = tuple(_floods())
