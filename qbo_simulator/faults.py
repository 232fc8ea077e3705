"""Trouble on demand: what can go wrong, how often, for whom, and before or after the commit.

Control interface, all under `/_simulator/`, JSON, no key, loopback only:

  GET  state                      counts by entity, time, knobs, meters, highest rates, in flight
  POST reset                      empty books, no faults, default knobs; tokens die
  GET|POST knobs                  show; {"name": value, ...} turns (see docs/reference/simulator.md)
  GET|POST preferences            show; {"Group": {"Name": value}} lays over; ?realm=
  POST company                    {"Country"...} lays over CompanyInfo; "suspended": true|false
  POST realms                     {"realm_id", "name", "environment"} opens another company
  GET|POST|DELETE faults          list; add one or a list; clear all, or those of ?label=
  POST expire-tokens              {"realm"?} all access tokens die now
  POST revoke                     {"realm"?} the grant ends, as if the person disconnected
  POST token                      {"realm"?, "environment"?} a fresh pair, no consent page
  POST clock                      {"advance_s": n} simulated seconds pass at once
  POST seed                       items, accounts, customers, vendors, departments, invoices, ...
  POST edit                       {"entity", "id"|"doc_number"|"name", "change": {...}}
  GET  violations                 what a good client never sends
  GET  log?after=N&limit=M        JSON lines, newest 200,000 kept
  GET  ledger?entity=Invoice      every object, voided and deleted too; &format=json for one list;
                                  &newest=N only the newest live ones, newest first

A fault: {"kind", "on": subject or "any", one of "count": n | "rate": 0..1 | "seconds": s,
"commit": true|false, "after": n requests to let pass, "label": a name to end it by, and what the
kind needs}. Kinds:

  drop_before_commit, drop_after_commit, drop_half_answer, hang (120 simulated s, then cut),
  slow ("ms"), drip ("ms" a byte), wrong_length, html_404, html_502, html_503, html_504,
  stream_timeout,
  server_error_10000, error_6000_unexpected, throttle_429, unauthorized_401, bad_json_200,
  nan, doubled_keys, gzip_bomb, missing_bid, doubled_bid, foreign_bid, cut_batch ("items"),
  refuse ("code", "message", "detail", "status"), answer ("status", "body", "content_type"),
  refuse_connection ("seconds"), not_listening ("seconds"), refuse_refresh, lose_refresh_answer.

`commit` says whether the work is done although the answer goes wrong; each kind has its default.
`seconds` are simulated. Rates draw from the seeded chance.
"""

import random
from dataclasses import dataclass, field
from typing import Final

from qbo_simulator.codec import Thing

# Kind to: is the work done when nobody says.
COMMITS: Final = {
    "drop_before_commit": False,
    "drop_after_commit": True,
    "drop_half_answer": True,
    "hang": False,
    "slow": True,
    "drip": True,
    "wrong_length": True,
    "html_404": False,
    "html_502": False,
    "html_503": False,
    "html_504": False,
    "stream_timeout": False,
    "server_error_10000": False,
    "error_6000_unexpected": False,
    "throttle_429": False,
    "unauthorized_401": False,
    "bad_json_200": True,
    "nan": True,
    "doubled_keys": True,
    "gzip_bomb": True,
    "missing_bid": True,
    "doubled_bid": True,
    "foreign_bid": True,
    "cut_batch": True,
    "refuse": False,
    "answer": False,
    "refuse_connection": False,
    "not_listening": False,
    "refuse_refresh": False,
    "lose_refresh_answer": True,
}
BATCH_KINDS: Final = frozenset({"missing_bid", "doubled_bid", "foreign_bid", "cut_batch"})
SOCKET_KINDS: Final = frozenset({"refuse_connection", "not_listening"})
TOKEN_KINDS: Final = frozenset({"refuse_refresh", "lose_refresh_answer"})


class NoSuchFault(ValueError):
    """A kind that does not exist, or a fault without count, rate or seconds."""


@dataclass(slots=True)
class Fault:
    """One queued or recurring trouble."""

    fault_id: int
    kind: str
    on: str
    commit: bool
    count: int | None = None
    rate: float | None = None
    until_s: float | None = None
    after: int = 0
    details: Thing = field(default_factory=dict)
    hits: int = 0

    def shown(self) -> Thing:
        """Return it as the control interface lists it."""
        return {
            "id": self.fault_id,
            "kind": self.kind,
            "on": self.on,
            "commit": self.commit,
            "count": self.count,
            "rate": self.rate,
            "until_s": self.until_s,
            "after": self.after,
            "hits": self.hits,
            **self.details,
        }


class Faults:
    """The list of trouble to come."""

    def __init__(self, *, chance: random.Random) -> None:
        self._chance = chance
        self._waiting: list[Fault] = []
        self._last_id = 0
        self.hits: dict[str, int] = {}

    def add(self, asked: Thing, *, now_s: float) -> Fault:
        """Queue one fault as the control interface describes it.

        Raises:
            NoSuchFault: Unknown kind.
        """
        given = dict(asked)
        kind = str(given.pop("kind", ""))
        if kind not in COMMITS:
            raise NoSuchFault(kind)
        seconds = given.pop("seconds", None)
        rate = given.pop("rate", None)
        count = given.pop("count", None)
        if count is None and rate is None and seconds is None:
            count = 1
        usual = "batch" if kind in BATCH_KINDS else "token" if kind in TOKEN_KINDS else "any"
        self._last_id += 1
        fault = Fault(
            fault_id=self._last_id,
            kind=kind,
            on=str(given.pop("on", usual)).lower(),
            commit=bool(given.pop("commit", COMMITS[kind])),
            count=None if count is None else int(count),
            rate=None if rate is None else float(rate),
            until_s=None if seconds is None else now_s + float(seconds),
            after=int(given.pop("after", 0)),
            details=given,
        )
        self._waiting.append(fault)
        return fault

    def take(self, subject: str, *, now_s: float) -> Fault | None:
        """Return the trouble this request meets, if any, and count it as spent."""
        self._drop_ended(now_s=now_s)
        for fault in self._waiting[:]:
            if not _meets(fault, subject) or fault.kind in SOCKET_KINDS:
                continue
            if fault.after > 0:
                fault.after -= 1
                continue
            if fault.rate is not None and self._chance.random() >= fault.rate:
                continue
            self._spend(fault)
            return fault
        return None

    def refuses_connections(self, *, now_s: float) -> bool:
        """Return whether a new connection is closed at once."""
        self._drop_ended(now_s=now_s)
        for fault in self._waiting:
            if fault.kind == "refuse_connection":
                self._spend(fault)
                return True
        return False

    def listening(self, *, now_s: float) -> bool:
        """Return whether the company's socket takes connections at all."""
        self._drop_ended(now_s=now_s)
        return all(fault.kind != "not_listening" for fault in self._waiting)

    def shown(self, *, now_s: float) -> list[Thing]:
        """Return what is still to come."""
        self._drop_ended(now_s=now_s)
        return [fault.shown() for fault in self._waiting]

    def clear(self, *, label: str | None = None) -> None:
        """Trouble is over; that of one label, or all of it."""
        self._waiting = [
            fault
            for fault in self._waiting
            if label is not None and fault.details.get("label") != label
        ]

    def _drop_ended(self, *, now_s: float) -> None:
        self._waiting = [
            fault for fault in self._waiting if fault.until_s is None or now_s < fault.until_s
        ]

    def _spend(self, fault: Fault) -> None:
        fault.hits += 1
        self.hits[fault.kind] = self.hits.get(fault.kind, 0) + 1
        if fault.count is not None:
            fault.count -= 1
            if fault.count <= 0:
                self._waiting.remove(fault)


def _meets(fault: Fault, subject: str) -> bool:
    if fault.kind in BATCH_KINDS:
        return subject == "batch"
    if fault.kind in TOKEN_KINDS:
        return subject == "token"
    if fault.on == "any":
        return subject != "token"
    return fault.on == subject
