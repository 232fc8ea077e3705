"""The planted bugs of the protocol, M01 to M30: what each changes and which promise it breaks."""

from dataclasses import dataclass

from tests.simulation.planting import Edit


@dataclass(frozen=True, slots=True)
class Mutant:
    """One bug.

    Args:
        name: As the protocol numbers it.
        told: What is wrong with the code.
        breaks: The invariants it may break; any of them counts.
        world: The world whose other fences are down, of `planted.WORLDS`.
        edits: The change itself.
    """

    name: str
    told: str
    breaks: tuple[str, ...]
    world: str
    edits: tuple[Edit, ...]


MIS = "mis.claims:MisClaims"
CROSSING = "services.crossing:Crossing"
SETTLING = "services.settling:Settling"
ARRIVALS = "services.arrivals:Arrivals"
RECORDING = "services.recording:Recording"
EXCHANGE = "quickbooks.exchange:Exchange"
TRIP = "quickbooks.exchange:_Trip"

CLAIMING = (
    Mutant(
        "M01",
        "a claim reads what is free, then updates without a condition",
        ("I1", "I2", "I5", "I6"),
        "strangers",
        (
            Edit(
                f"{MIS}._put_token",
                'named = {"ids": list(page), "b_token": token, **values}',
                """
                named = {"ids": list(page), **values}
                free = sql.select(_ID).where(change.whereclause)
                page = self._mis.reading(lambda link: list(link.scalars(free, named)))
                self._world.gate(planted(Gate.CLAIM_WRITTEN))
                named = {"ids": list(page), "b_token": token}
                change = _token_on(sql.true(), words=self._mis.dialect)
                """,
            ),
        ),
    ),
    Mutant(
        "M02",
        "a claim sets status 3 and leaves no token",
        ("I2", "I5", "I6", "I8", "I24"),
        "hard",
        (
            Edit(
                f"{MIS}._put_token",
                'named = {"ids": list(page), "b_token": token, **values}',
                """
                named = {"ids": list(page), **values}
                taken = {STATUS: int(Status.IN_PROGRESS), _AT: self._mis.dialect.now()}
                change = sql.update(INVOICES).where(change.whereclause).values(planted(taken))
                """,
            ),
        ),
    ),
    Mutant(
        "M09",
        "marks and releases do not ask whether the row still carries our token",
        ("I2", "I4", "I6", "I7"),
        "ids alone",
        (
            Edit(
                f"{MIS}._let_go",
                'named = {"ids": list(page), "b_token": token, "b_status": status, "b_by": by}',
                """
                named = {"ids": list(page)}
                left = {STATUS: status, _BY: by, _AT: self._mis.dialect.now()}
                change = sql.update(INVOICES).where(_ID.in_(_IDS)).values(planted(left))
                """,
            ),
        ),
    ),
    Mutant(
        "M10",
        "the MIS is marked before the receipt and its audit entry are durable",
        ("I2", "I3", "I7"),
        "crashes",
        (
            Edit(
                f"{RECORDING}.confirm",
                """
                self._journal.confirmed(
                    [_receipt(item) for item in items], lease=sender.lease, by=sender.by
                )
                """,
                """
                rows = [(item.invoice_id, item.token) for item in items]
                self._mark(planted(rows), status=Status.SYNCED, sender=sender)
                self._journal.confirmed(
                    [_receipt(item) for item in items], lease=sender.lease, by=sender.by
                )
                """,
            ),
        ),
    ),
    Mutant(
        "M25",
        "rows left in progress go back to 0 and are sent again, unsettled",
        ("I1", "I2", "I4", "I6"),
        "crashes",
        (
            Edit(
                "services.sweeping:Sweeping._known",
                """
                elif intent is not None and intent.unsettled:
                    continue  # settle() below this sweep looks at it
                """,
                """
                elif intent is not None and intent.unsettled:
                    self._journal.absent(
                        [planted(intent.id)], again=True, lease=sender.lease, by=sender.by
                    )
                    free.append(invoice_id)
                """,
            ),
        ),
    ),
)

IDENTITY = (
    Mutant(
        "M03",
        "every attempt has its own request id",
        ("I1", "I2", "I4", "I7"),
        "ids alone",
        (
            Edit(
                "quickbooks.client:Client.send",
                "path, request_id, body = _request_of(work)",
                """
                path, request_id, body = _request_of(work)
                now = str(self._world.clock.since_boot_ms())
                request_id = planted(wire.bundle_id([request_id, now]))
                """,
            ),
        ),
    ),
    Mutant(
        "M04",
        "the request id is the payload's hash and not the generation's",
        ("I1", "I8"),
        "remembered faults",
        (
            Edit(
                "services.trips:wanted_of",
                """
                request_id=request_id(
                    realm, key=draft.doc_number, operation=CREATE_INVOICE, generation=generation
                ),
                """,
                "request_id=planted(wire.bundle_id([payload.decode()])),",
            ),
        ),
    ),
    Mutant(
        "M05",
        "every claim has its own request id",
        ("I1", "I2", "I4", "I7"),
        "claims again",
        (
            Edit(
                f"{CROSSING}._prepare",
                "return [sending_of(one.intent) for one in held]",
                """
                from dataclasses import replace
                from application.quickbooks import wire
                return [
                    replace(
                        sending_of(one.intent),
                        request_id=planted(wire.bundle_id([one.intent.request_id, one.token])),
                    )
                    for one in held
                ]
                """,
            ),
            Edit(
                f"{CROSSING}.resend",
                "page.append(sending_of(intent))",
                """
                from dataclasses import replace
                from application.quickbooks import wire
                own = planted(wire.bundle_id([intent.request_id, token]))
                page.append(replace(sending_of(intent), request_id=own))
                """,
            ),
        ),
    ),
    Mutant(
        "M12",
        "a resend carries a body built anew from the MIS row of today",
        ("I1", "I2", "I4", "I10"),
        "edited rows",
        (
            Edit(
                f"{SETTLING}._absent",
                """
                same = bool(intent.payload) and (
                    plan.source(rule=self._plans.rules.amount) == intent.source_sha256
                )
                """,
                "same = bool(planted(intent.payload))",
            ),
            Edit(
                f"{CROSSING}.resend",
                "page.append(sending_of(intent))",
                """
                from dataclasses import replace
                from application.quickbooks import wire
                draft = plan.draft(
                    customer_id=intent.facts.customer_id, rule=self._plans.rules.amount
                )
                body = planted(wire.invoice_bytes(draft))
                page.append(replace(sending_of(intent), payload=body))
                """,
            ),
        ),
    ),
    Mutant(
        "M28",
        "the generation, and with it the request id, rises at every retry",
        ("I1", "I2", "I4"),
        "ids alone",
        (
            Edit(
                f"{SETTLING}._absent",
                """
                same = bool(intent.payload) and (
                    plan.source(rule=self._plans.rules.amount) == intent.source_sha256
                )
                """,
                "same = planted(False)",
            ),
        ),
    ),
)

SETTLED = (
    Mutant(
        "M06",
        "nobody looks in QuickBooks before a resend",
        ("I1", "I2", "I4"),
        "settling alone",
        (
            Edit(
                f"{SETTLING}._asked",
                "answer = self._client.documents_by_number([one.key for one in intents])",
                "answer = planted(LookUp((), self._world.clock.now(), None))",
            ),
        ),
    ),
    Mutant(
        "M07",
        "absent is believed at the first empty answer",
        ("I1", "I2", "I4"),
        "settling alone",
        (
            Edit(
                "invoices.outcomes:verdict",
                "return Verdict.ABSENT if now >= absent_from and looks >= 1 else Verdict.WAIT",
                "return planted(Verdict.ABSENT)",
            ),
        ),
    ),
    Mutant(
        "M08",
        "what a dead sender left is believed absent without the grace",
        ("I1", "I2", "I4"),
        "dead senders",
        (
            Edit(
                "invoices.outcomes:absence_counts_from",
                "since = sent_at if lease_ended_at is None else max(sent_at, lease_ended_at)",
                """
                if lease_ended_at is not None:
                    return planted(lease_ended_at)
                since = sent_at
                """,
            ),
        ),
    ),
    Mutant(
        "M20",
        "after a lost answer it goes again, and a refusal of attempt 2 closes unknown attempt 1",
        ("I1", "I2", "I4"),
        "refusals",
        (
            Edit(
                f"{ARRIVALS}._sort",
                """
                if isinstance(outcome, Unknown):
                    unclear.append((held, outcome))
                """,
                """
                if isinstance(outcome, Unknown) and held.sends < 2 and not outcome.look_now:
                    sender = state.trip.sender
                    self._journal.passed(
                        [planted(held.intent.id)], lease=sender.lease, by=sender.by
                    )
                    self._lanes.again([sending_of(held.intent)], wait_ms=60_000)
                elif isinstance(outcome, Unknown):
                    unclear.append((held, outcome))
                """,
            ),
        ),
    ),
    Mutant(
        "M21",
        "what stands under our number is adopted without comparison",
        ("I2", "I3", "I10", "I12"),
        "strange documents",
        (
            Edit(
                "invoices.outcomes:verdict",
                "return Verdict.ADOPT if fits(sent, live[0]) else Verdict.CONFLICT",
                "return planted(Verdict.ADOPT)",
            ),
            Edit(
                f"{ARRIVALS}.compare",
                "len(found) == 1 and facts is not None and fits(facts, live[0])",
                "planted(True)",
            ),
        ),
    ),
    Mutant(
        "M29",
        "an answer after an unclear attempt is believed without a read by Id",
        ("I2",),
        "replays",
        (
            Edit(
                f"{ARRIVALS}._may_be_replay",
                """
                if held.intent.looks or held.intent.unsettled:
                    return True
                """,
                "return planted(False)",
            ),
        ),
    ),
)
