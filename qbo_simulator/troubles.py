"""What a client gets when a fault strikes, given the answer it would have got."""

import gzip
import re
from collections.abc import Callable
from functools import cache
from typing import Final

from qbo_simulator import answers, refusals
from qbo_simulator.codec import Thing, encode, thing
from qbo_simulator.faults import Fault
from qbo_simulator.messages import Cut, Reply
from qbo_simulator.world import World

CUT_AFTER_S: Final = 120.0
BOMB_BYTES: Final = 64 * 1024 * 1024
MONEY: Final = re.compile(rb'"(TotalAmt|Balance|Amount|UnitPrice)":[0-9.]+')
Trouble = Callable[[World, Fault, Reply], Reply]


def struck(world: World, fault: Fault, done: Reply | None) -> Reply:
    """Return what leaves instead of the true answer.

    Args:
        world: For time and turns.
        fault: What strikes.
        done: The true answer; None when the work was not done.
    """
    true = done if done is not None else Reply(0, b"", cut=Cut.BEFORE)
    return TROUBLES[fault.kind](world, fault, true)


def throttle_xml(world: World) -> bool:
    """Return whether this 429 goes out as XML."""
    match world.knobs.throttle_body:
        case "xml":
            return True
        case "json":
            return False
        case _:
            return next(world.turns) % 2 == 0


def unauthorized_xml(world: World) -> bool:
    """Return whether this 401 goes out as XML."""
    match world.knobs.unauthorized_body:
        case "xml":
            return True
        case "json":
            return False
        case _:
            return next(world.turns) % 2 == 0


def throttled(world: World) -> Reply:
    """Return a 429 in the form the knob asks for."""
    reply = answers.throttled().reply(now=world.clock.now(), xml=throttle_xml(world))
    if world.knobs.retry_after is not None:
        reply.headers.append(("Retry-After", str(world.knobs.retry_after)))
    return reply


def _dropped(_world: World, _fault: Fault, _done: Reply) -> Reply:
    return Reply(0, b"", cut=Cut.BEFORE)


def _half(_world: World, _fault: Fault, done: Reply) -> Reply:
    done.cut = Cut.HALF if done.body else Cut.BEFORE
    return done


def _hung(world: World, fault: Fault, _done: Reply) -> Reply:
    seconds = float(fault.details.get("for_s", CUT_AFTER_S))
    return Reply(0, b"", cut=Cut.BEFORE, wait_s=world.clock.real_wait_s(seconds))


def _slow(_world: World, fault: Fault, done: Reply) -> Reply:
    done.wait_s += float(fault.details.get("ms", 1000)) / 1000
    return done


def _dripped(_world: World, fault: Fault, done: Reply) -> Reply:
    done.drip_s = float(fault.details.get("ms", 5)) / 1000
    return done


def _wrong_length(_world: World, _fault: Fault, done: Reply) -> Reply:
    done.extra_length = 10
    done.chunked = False
    return done


def _page(status: int) -> Trouble:
    return lambda _world, _fault, _done: answers.broken_gateway(status)


def _stream_timeout(_world: World, _fault: Fault, _done: Reply) -> Reply:
    return answers.stream_timeout()


def _system_failure(world: World, _fault: Fault, _done: Reply) -> Reply:
    return answers.refused(answers.system_failure(), now=world.clock.now())


def _unexpected(world: World, _fault: Fault, done: Reply) -> Reply:
    if done.status == 200 and done.body.startswith(b'{"BatchItemResponse"'):  # noqa: PLR2004  # ok
        whole = thing(done.body)
        for item in whole["BatchItemResponse"]:
            b_id = item["bId"]
            item.clear()
            item.update({"Fault": refusals.unexpected().fault(), "bId": b_id})
        done.body = encode(whole)
        return done
    return answers.refused(refusals.unexpected(), now=world.clock.now())


def _throttled(world: World, _fault: Fault, _done: Reply) -> Reply:
    return throttled(world)


def _unauthorized(world: World, _fault: Fault, _done: Reply) -> Reply:
    refusal = answers.unauthorized("Token expired: AB01simulated")
    return refusal.reply(now=world.clock.now(), xml=unauthorized_xml(world))


def _bad_json(_world: World, _fault: Fault, done: Reply) -> Reply:
    done.body = done.body[: len(done.body) // 2]
    return done


def _not_a_number(_world: World, _fault: Fault, done: Reply) -> Reply:
    done.body = MONEY.sub(rb'"\1":NaN', done.body)
    return done


def _doubled_keys(_world: World, _fault: Fault, done: Reply) -> Reply:
    if done.body.startswith(b"{"):
        done.body = done.body[:-1] + b"," + done.body[1:]
    return done


@cache
def _bomb() -> bytes:
    return gzip.compress(b'{"Invoice":"' + b" " * BOMB_BYTES + b'"}', mtime=0)


def _gzip_bomb(_world: World, _fault: Fault, done: Reply) -> Reply:
    return Reply(200, _bomb(), headers=[*done.headers, ("Content-Encoding", "gzip")])


def _items(change: Callable[[list[Thing]], None]) -> Trouble:
    def spoiled(_world: World, _fault: Fault, done: Reply) -> Reply:
        if done.body.startswith(b'{"BatchItemResponse"'):
            whole = thing(done.body)
            change(whole["BatchItemResponse"])
            done.body = encode(whole)
        return done

    return spoiled


def _refused(world: World, fault: Fault, _done: Reply) -> Reply:
    details = fault.details
    refusal = refusals.Refusal(
        str(details.get("code", "6000")),
        str(details.get("message", refusals.BUSINESS)),
        str(details.get("detail", "Business Validation Error: on demand.")),
        element=str(details.get("element", "")),
        status=int(details.get("status", 400)),
        fault_type=str(details.get("type", "ValidationFault")),
    )
    return answers.refused(refusal, now=world.clock.now())


def _answered(_world: World, fault: Fault, _done: Reply) -> Reply:
    details = fault.details
    return Reply(
        int(details.get("status", 200)),
        str(details.get("body", "")).encode(),
        content_type=str(details.get("content_type", "application/json")),
    )


TROUBLES: Final[dict[str, Trouble]] = {
    "drop_before_commit": _dropped,
    "drop_after_commit": _dropped,
    "drop_half_answer": _half,
    "hang": _hung,
    "slow": _slow,
    "drip": _dripped,
    "wrong_length": _wrong_length,
    "html_404": _page(404),
    "html_502": _page(502),
    "html_503": _page(503),
    "html_504": _page(504),
    "stream_timeout": _stream_timeout,
    "server_error_10000": _system_failure,
    "error_6000_unexpected": _unexpected,
    "throttle_429": _throttled,
    "unauthorized_401": _unauthorized,
    "bad_json_200": _bad_json,
    "nan": _not_a_number,
    "doubled_keys": _doubled_keys,
    "gzip_bomb": _gzip_bomb,
    "missing_bid": _items(lambda items: items[0].pop("bId", None)),
    "doubled_bid": _items(lambda items: items.append(dict(items[0]))),
    "foreign_bid": _items(lambda items: items[0].update({"bId": "foreign"})),
    "cut_batch": _dropped,
    "refuse": _refused,
    "answer": _answered,
    "lose_refresh_answer": _dropped,
}
