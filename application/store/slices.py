"""The parts a long run is done in: where each began, what had been counted, where it ended."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from application.invoices.model import IntentState, Kind
from application.store.door_schema import slices
from application.store.schema import claim_rows, claims, intents, refusals
from application.store.tables import Clash, Store
from application.world import Gate, World

WAITING = "waiting"
FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Tally:
    """How many invoices a run has met, by what became of them."""

    successful: int = 0
    failed: int = 0
    unsettled: int = 0


@dataclass(frozen=True, slots=True)
class Place:
    """Up to where a run has met the invoices: first what waits, then failures that look fixed."""

    phase: str = WAITING
    after: int = 0


@dataclass(frozen=True, slots=True)
class Slice:
    """One part of a run."""

    run_id: int
    number: int
    opened_at: datetime
    place: Place
    tally: Tally  # of all parts before it
    interrupted: bool  # somebody began it before us and did not end it


class Slices:
    """The parts of runs. They are counts of other changes, so no audit lines."""

    def __init__(self, store: Store, *, world: World) -> None:
        self._store = store
        self._world = world

    def open(self, run_id: int) -> Slice:
        """Return the part to do next: the one that was interrupted, or a new one."""

        def work(connection: Connection) -> Slice:
            last = connection.execute(
                select(slices)
                .where(slices.c.run_id == run_id)
                .order_by(slices.c.number.desc())
                .limit(1)
            ).first()
            if last is not None and last.closed_at is None:
                return _slice(last, interrupted=True)
            number = 0 if last is None else last.number + 1
            values = {
                "run_id": run_id,
                "number": number,
                "opened_at": self._store.moment(connection),
                **_values(_tally(last), place=_place(last)),
            }
            connection.execute(insert(slices).values(**values))
            row = connection.execute(
                select(slices).where(slices.c.run_id == run_id, slices.c.number == number)
            ).one()
            return _slice(row, interrupted=False)

        try:
            part = self._store.write(work)
        except Clash:
            # A sender that froze while it opened this part thawed, and was faster: it is there now.
            part = self._store.write(work)
        self._world.gate(Gate.SLICE_OPENED)
        return part

    def unclear(self, run_id: int, *, realm_tag: str) -> list[int]:
        """Return the invoices of a run whose outcome nobody knows yet."""
        query = (
            select(intents.c.invoice_id)
            .where(
                intents.c.realm_tag == realm_tag,
                intents.c.kind == Kind.INVOICE.value,
                intents.c.state.in_([IntentState.SENDING.value, IntentState.UNKNOWN.value]),
                intents.c.unsettled > 0,
                intents.c.invoice_id.in_(_claimed(run_id)),
            )
            .distinct()
        )
        with self._store.read() as connection:
            return [int(one) for one in connection.execute(query).scalars()]

    def recount(self, run_id: int, *, realm_tag: str, since: datetime, before: Tally) -> Tally:
        """Return what a run has come to, from what is durable.

        Args:
            run_id: The run.
            realm_tag: Its company.
            since: Count receipts and refusals from here on.
            before: What had been counted until then.
        """
        synced = select(func.count(intents.c.invoice_id.distinct())).where(
            intents.c.realm_tag == realm_tag,
            intents.c.kind == Kind.INVOICE.value,
            intents.c.state == IntentState.CONFIRMED.value,
            intents.c.receipt_at >= since,
            intents.c.invoice_id.in_(_claimed(run_id)),
        )
        refused = select(func.count(refusals.c.invoice_id.distinct())).where(
            refusals.c.run_id == run_id, refusals.c.open == 1, refusals.c.at >= since
        )
        with self._store.read() as connection:
            return Tally(
                successful=before.successful + int(connection.execute(synced).scalar_one()),
                failed=before.failed + int(connection.execute(refused).scalar_one()),
                unsettled=before.unsettled,
            )

    def close(self, part: Slice, *, tally: Tally, place: Place) -> None:
        """End a part: what had been counted by then, and where the next one begins."""

        def work(connection: Connection) -> None:
            connection.execute(
                update(slices)
                .where(
                    slices.c.run_id == part.run_id,
                    slices.c.number == part.number,
                    slices.c.closed_at.is_(None),
                )
                .values(closed_at=self._store.moment(connection), **_values(tally, place=place))
            )

        self._store.write(work)
        self._world.gate(Gate.SLICE_CLOSED)


def _claimed(run_id: int) -> Any:  # noqa: ANN401 - a statement's type names every column
    return (
        select(claim_rows.c.invoice_id)
        .join(claims, claims.c.token == claim_rows.c.token)
        .where(claims.c.run_id == run_id)
    )


def _values(tally: Tally, *, place: Place) -> dict[str, object]:
    return {
        "phase": place.phase,
        "cursor": place.after,
        "successful": tally.successful,
        "failed": tally.failed,
        "unsettled": tally.unsettled,
    }


def _tally(row: Row[Any] | None) -> Tally:
    if row is None:
        return Tally()
    return Tally(row.successful, row.failed, row.unsettled)


def _place(row: Row[Any] | None) -> Place:
    return Place() if row is None else Place(row.phase, row.cursor)


def _slice(row: Row[Any], *, interrupted: bool) -> Slice:
    return Slice(
        run_id=row.run_id,
        number=row.number,
        opened_at=row.opened_at,
        place=_place(row),
        tally=_tally(row),
        interrupted=interrupted,
    )
