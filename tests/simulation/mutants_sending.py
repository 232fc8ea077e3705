"""The planted bugs of the road to QuickBooks: who may send, what an answer means, bundles."""

from tests.simulation.mutants import (
    ARRIVALS,
    CLAIMING,
    EXCHANGE,
    IDENTITY,
    RECORDING,
    SETTLED,
    TRIP,
    Mutant,
)
from tests.simulation.planting import Edit

LEASES = "store.leases:Leases"
RENEWAL = "services.renewal"

SENDERS = (
    Mutant(
        "M16",
        "a sender knows its lease by a monotonic clock, which stands still while it sleeps",
        ("I1", "I2", "I4", "I6", "I10"),
        "sleepers",
        (
            Edit(
                f"{LEASES}._check",
                """
                clock = self._world.clock
                ends_ms = self._ends_boot_ms.get(lease.ulid, lease.until_boot_ms)
                """,
                """
                if planted(lock) or not lock:
                    return self._store.moment(connection)
                clock = self._world.clock
                ends_ms = self._ends_boot_ms.get(lease.ulid, lease.until_boot_ms)
                """,
            ),
        ),
    ),
    Mutant(
        "M17",
        "nobody checks the lease between the plan and the first byte",
        ("I1", "I2", "I4", "I6", "I7", "I10"),
        "sleepers",
        (
            Edit(
                f"{RECORDING}.sending",
                "self._leases.still_ours(sender.lease)",
                "planted()",
            ),
            Edit(
                "store.promising:Promising.attempt",
                "now = self._leases.guard(connection, lease)",
                "now = planted(self._store.moment(connection))",
            ),
        ),
    ),
    Mutant(
        "M18",
        "a request may be written however late after its check",
        ("I1", "I2", "I4"),
        "late writes",
        (
            Edit(
                f"{TRIP}._leave",
                """
                if self._world.clock.since_boot_ms() > until_ms:
                    raise _TooLate
                """,
                "until_ms = planted(self._world.clock.since_boot_ms() + 86_400_000)",
            ),
        ),
    ),
    Mutant(
        "M26",
        "two may renew the same sign-in at once",
        ("I14",),
        "sign-ins",
        (
            Edit(
                f"{RENEWAL}:Renewal._lock",
                """
                if until is None:
                    return None
                """,
                """
                if until is None:
                    until = planted(self._world.clock.now())
                """,
            ),
            Edit(
                f"{RENEWAL}:_Lock.keep",
                """
                self._until = self._tokens.keep_refresh(
                    self._held, until=self._until, lock_ms=self._lock_ms
                )
                """,
                "planted()",
            ),
        ),
    ),
    # The catalogue's M27 is a COMMIT after 1205. Structure makes it impossible here: a change of
    # the MIS is one statement that commits itself, and SQLite knows no 1205. Real MariaDB under
    # forced lock waits is TM2's. In its place stands another bug of two senders at once.
    Mutant(
        "M27",
        "a lease is taken from a sender that lives, and that one goes on",
        ("I1", "I2", "I4", "I6", "I14"),
        "sleepers",
        (
            Edit(
                f"{LEASES}._end_old",
                "if not expired and not self._proved_dead(old):",
                "if not expired and not planted(True):",
            ),
            Edit(f"{LEASES}.active", "return record if record.live else None", "return planted()"),
            Edit(
                "store.fence:held",
                "if row is None or row.ended_at is not None:",
                "if planted(row) is None:",
            ),
        ),
    ),
)

ROAD = (
    Mutant(
        "M11",
        "the attempt is written down after the request has left",
        ("I1", "I3", "I7", "I9"),
        "crashes",
        (
            Edit(
                f"{TRIP}._leave",
                """
                if self._call.about_to_send is not None:
                    self._call.about_to_send()
                """,
                "planted()",
            ),
            Edit(
                f"{TRIP}.step",
                """
                case "send_request_body.complete":
                    move_deadline(self._world.clock.since_boot_ms() + self._limits.read_ms)
                """,
                """
                case "send_request_body.complete":
                    self._world.gate(Gate.SEND_BODY)
                    if self._call.about_to_send is not None:
                        planted(self._call).about_to_send()
                    move_deadline(self._world.clock.since_boot_ms() + self._limits.read_ms)
                """,
            ),
        ),
    ),
    Mutant(
        "M13",
        "an answer counts as ours without being compared",
        ("I2", "I3", "I10"),
        "strange answers",
        (
            Edit(
                f"{ARRIVALS}._ok",
                "if fits(facts, found) and not self._may_be_replay(held, found=found):",
                "if planted(True):",
            ),
        ),
    ),
    Mutant(
        "M14",
        "a 503 is read as a refusal",
        ("I1", "I2", "I4"),
        "lost after commit",
        (
            Edit(
                "quickbooks.wire:_lost",
                'return Unknown(why=f"status_{answer.status}", intuit_tid=answer.intuit_tid)',
                """
                return planted(
                    Refused(cause="quickbooks_unavailable", intuit_tid=answer.intuit_tid)
                )
                """,
            ),
        ),
    ),
    Mutant(
        "M15",
        "a time-out is read as not sent",
        ("I1", "I2", "I4"),
        "settling alone",
        (
            Edit(
                f"{EXCHANGE}._once",
                "return Unknown(why=_why(error)) if trip.leaving else _not_sent()",
                "return planted(_not_sent())",
            ),
        ),
    ),
    Mutant(
        "M19",
        "the HTTP client sends again by itself when a connection breaks",
        ("I1", "I2", "I4", "I7", "I23"),
        "settling alone",
        (
            Edit(
                f"{EXCHANGE}._once",
                "response = self._transport.handle_request(request)",
                """
                try:
                    response = self._transport.handle_request(request)
                except httpx2.TransportError:
                    if not trip.leaving or call.about_to_send is None:
                        raise
                    response = self._transport.handle_request(planted(request))
                """,
            ),
        ),
    ),
    Mutant(
        "M22",
        "a bundle whose answer was lost is sent again as a whole",
        ("I1", "I2", "I4"),
        "bundles alone",
        (
            Edit(
                f"{ARRIVALS}.answered",
                "confirms: list[Confirming] = []",
                """
                lost = all(isinstance(one, Unknown) for one in answered.outcomes)
                if answered.lane == "batch" and lost:
                    sender = state.trip.sender
                    ids = [one.intent_id for one in answered.sendings]
                    self._journal.passed(planted(ids), lease=sender.lease, by=sender.by)
                    self._lanes.again(whole=answered.work, wait_ms=60_000)
                    return
                confirms: list[Confirming] = []
                """,
            ),
        ),
    ),
    Mutant(
        "M23",
        "a bundle's answers are matched by their position",
        ("I1", "I2", "I4", "I8"),
        "shuffled bundles",
        (
            Edit(
                "quickbooks.wire:judge_bundle",
                """
                return tuple(_member(named.get(place(n), []), kind=kind, answer=answer) \
for n in range(places))
                """,
                """
                rows = items if isinstance(items, list) else []
                return tuple(
                    planted(_member(rows[n : n + 1], kind=kind, answer=answer))
                    for n in range(places)
                )
                """,
            ),
        ),
    ),
    Mutant(
        "M24",
        "an amount passes through a float and loses its last cent",
        ("I4", "I8", "I10"),
        "cents",
        (
            Edit(
                "quickbooks.wire:invoice_bytes",
                '"Amount": draft.amount.quantize(_CENT, context=_EXACT),',
                '"Amount": planted(Decimal(int(float(draft.amount) * 100)) / 100),',
            ),
        ),
    ),
    Mutant(
        "M30",
        "a 429 counts as an attempt, and the third refuses the invoice",
        ("I2", "I8", "I23"),
        "limits",
        (
            Edit(
                f"{ARRIVALS}._refused",
                "held.attempts += outcome.passing is not Passing.PAUSE",
                "held.attempts += planted(1)",
            ),
            Edit(
                "invoices.retries:_after_refusal",
                """
                case Passing.PAUSE:
                    return Step.PAUSE
                """,
                """
                case Passing.PAUSE:
                    return Step.PAUSE if left else planted(Step.REFUSE)
                """,
            ),
        ),
    ),
)

MUTANTS = tuple(sorted((*CLAIMING, *IDENTITY, *SETTLED, *SENDERS, *ROAD), key=lambda one: one.name))
