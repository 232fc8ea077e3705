"""What the MIS says is in progress and no live sender holds, brought to where it belongs."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from application.invoices.model import IntentState, Kind, Realm, Status, doc_number
from application.mis.claims import MisClaims
from application.mis.reader import MisReader
from application.mis.rows import ClaimedRow
from application.services.plans import Plans, pages_of
from application.services.recording import Pulse, Recording, Sender
from application.services.settling import PAGE, Settled, Settling
from application.store.journal import ClaimNote, Journal
from application.store.leases import Leases
from application.world import Gate, World

SWEEP_ROWS = 500


@dataclass(slots=True)
class _Known:
    """What our store knows of the rows of one dead sender."""

    done: Settled
    free: list[int]  # nothing of ours was sent for them
    found: set[int] = field(default_factory=set)  # QuickBooks shows something all the same


class Sweeping:
    """Starting is recovering: every sender sweeps before it claims anything new."""

    def __init__(
        self,
        *,
        journal: Journal,
        leases: Leases,
        reader: MisReader,
        claims: MisClaims,
        recording: Recording,
        settling: Settling,
        plans: Plans,
        world: World,
    ) -> None:
        self._journal = journal
        self._leases = leases
        self._reader = reader
        self._claims = claims
        self._recording = recording
        self._settling = settling
        self._plans = plans
        self._world = world

    def sweep(
        self,
        *,
        realm: Realm,
        sender: Sender,
        pulse: Pulse,
        token_for: Callable[[], str],
        look_first: bool = False,
    ) -> Settled:
        """Bring every row in status 3 that no live sender holds to where our store knows it is.

        Args:
            realm: The company this MIS is bound to.
            sender: Us, holding the realm's lease.
            pulse: Keeps the lease alive between two pages.
            token_for: A fresh claim token, for rows whose token we do not know.
            look_first: Search QuickBooks even for rows of which our store knows that nothing was
                sent; what cannot be searched for now stays as it is.
        """
        done = Settled()
        after = 0
        while True:
            rows = self._reader.in_progress(after=after, limit=SWEEP_ROWS)
            if not rows:
                self._end_claims(realm=realm, sender=sender)
                return done
            after = rows[-1].id
            pulse.every()
            done.add(
                self._sweep_page(
                    rows,
                    realm=realm,
                    sender=sender,
                    token_for=token_for,
                    look=pulse if look_first else None,
                )
            )

    def _end_claims(self, *, realm: Realm, sender: Sender) -> None:
        """End notes of claims whose sender died before the MIS was touched."""
        for note in self._journal.open_claims(realm.tag):
            ids = [one.id for one in note.formers if one.id not in note.ended]
            rows = self._reader.former_of(ids)
            held = {
                row.id
                for row in rows
                if row.status == Status.IN_PROGRESS and row.pushed_by == note.token
            }
            self._tell_orphans(set(ids) - {row.id for row in rows}, realm=realm, sender=sender)
            over = [one for one in ids if one not in held]
            self._journal.released(over, token=note.token, lease=sender.lease, by=sender.by)

    def _tell_orphans(self, gone: Iterable[int], *, realm: Realm, sender: Sender) -> None:
        """Say of rows that are no more that their documents stand in QuickBooks."""
        receipts = self._journal.receipts_for(realm.tag, gone)
        for invoice_id in sorted(one for one, kept in receipts.items() if not kept.synced_at):
            self._journal.source_gone(invoice_id, lease=sender.lease, by=sender.by)

    def _sweep_page(
        self,
        rows: Sequence[ClaimedRow],
        *,
        realm: Realm,
        sender: Sender,
        token_for: Callable[[], str],
        look: Pulse | None,
    ) -> Settled:
        done = Settled()
        by_token: defaultdict[str | None, list[ClaimedRow]] = defaultdict(list)
        for row in rows:
            by_token[row.token].append(row)
        strangers: list[ClaimedRow] = []
        for token, held in by_token.items():
            note = self._journal.claim_of(token) if token else None
            if note is None or token is None:
                strangers += held
            elif note.lease_ulid == sender.lease.ulid or self._live(note.lease_ulid):
                continue
            else:
                known = self._known(held, note=note, realm=realm, sender=sender)
                free = known.free if look is None else self._looked_up(known, pulse=look)
                known.done.released += self._recording.release(token, ids=free, sender=sender)
                self._watch(sorted(known.found), realm=realm, sender=sender)
                done.add(known.done)
            self._world.gate(Gate.SWEEP_ROW)
        if strangers:
            self._strangers(strangers, token=token_for(), realm=realm, sender=sender)
        return done

    def _live(self, lease_ulid: str) -> bool:
        record = self._leases.record(lease_ulid)
        return record is not None and record.live

    def _looked_up(self, known: "_Known", *, pulse: Pulse) -> list[int]:
        """Return which rows nothing stands for in QuickBooks; note the others."""
        numbers = {doc_number(one): one for one in known.free}
        taken = self._settling.taken(list(numbers), pulse=pulse)
        if taken is None:
            now = self._world.clock.now()
            known.done.left.update(dict.fromkeys(known.free, now))
            return []
        known.found = {numbers[one] for one in taken if one in numbers}
        return [one for one in known.free if one not in known.found]

    def _watch(self, ids: Sequence[int], *, realm: Realm, sender: Sender) -> None:
        """Have what stands under these numbers compared; they count as sent by somebody."""
        plans = self._plans.of(self._reader.rows_of(ids), realm_tag=realm.tag)
        now = self._world.clock.now()
        for page in pages_of(plans, most=PAGE):
            self._settling.watch(page, since=dict.fromkeys(ids, now), realm=realm, sender=sender)

    def _known(
        self, rows: Sequence[ClaimedRow], *, note: ClaimNote, realm: Realm, sender: Sender
    ) -> "_Known":
        """Decide rows of a dead sender of ours from our own store."""
        done, token = Settled(), note.token
        numbers = {doc_number(row.id): row.id for row in rows}
        intents = self._journal.intents_of(realm.tag, kind=Kind.INVOICE, keys=list(numbers))
        receipts = self._journal.receipts_for(realm.tag, [row.id for row in rows])
        refusals = self._journal.refusals_for([row.id for row in rows])
        synced: list[tuple[int, str]] = []
        failed: list[tuple[int, str]] = []
        free: list[int] = []
        for number, invoice_id in numbers.items():
            intent = intents.get(number)
            if intent is not None and intent.state is IntentState.CONFIRMED:
                if receipts[invoice_id].receipt_at < note.noted_at:
                    free.append(invoice_id)  # it waited again: its document must be read first
                    continue
                synced.append((invoice_id, token))
                done.confirmed[invoice_id] = intent.quickbooks_id or ""
            elif intent is not None and intent.unsettled:
                continue  # settle() below this sweep looks at it
            elif invoice_id in refusals:
                failed.append((invoice_id, token))
                done.refused[invoice_id] = refusals[invoice_id].cause
            else:
                free.append(invoice_id)
        self._recording.mark_synced(synced, sender=sender)
        self._recording.mark_failed(failed, sender=sender)
        return _Known(done=done, free=free)

    def _strangers(
        self, rows: Sequence[ClaimedRow], *, token: str, realm: Realm, sender: Sender
    ) -> None:
        """Take over rows that another program left in progress; they count as sent."""
        formers = self._reader.former_of([row.id for row in rows])
        self._journal.note_claim(
            lease=sender.lease,
            token=token,
            run_id=sender.run_id,
            formers=formers,
            by=sender.by,
        )
        taken = set(self._claims.take_over(rows, token=token))
        plans = self._plans.of(self._reader.rows_of(sorted(taken)), realm_tag=realm.tag)
        now = self._world.clock.now()
        since = {row.id: min(row.pushed_at or now, now) for row in rows}
        for page in pages_of(plans, most=PAGE):
            self._settling.watch(page, since=since, realm=realm, sender=sender)
