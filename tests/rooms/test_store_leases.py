"""Who may send: races, expiry by either clock, proof of death, and the company of a MIS."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from application.catalogue import CompanyMismatch, LeaseLost, RealmBusy
from application.invoices.model import Environment, Realm
from application.store.leases import Lease
from application.store.liveness import FileLock
from application.store.schema import lease_terms
from application.world import World
from tests.rooms.store_support import (
    KINDS,
    LIVE,
    REALM,
    UWASE,
    JumpingClock,
    Rooms,
    rooms_on,
    worn_address_on,
)

HOLDER = """
import sys
from pathlib import Path
from application.world import World
from tests.rooms.store_support import rooms_on

with rooms_on(sys.argv[1], locks=Path(sys.argv[2])) as rooms:
    print(rooms.lease(holder="doomed").ulid, flush=True)
    sys.stdin.read()
"""

Another = Callable[[], AbstractContextManager[Rooms]]


@pytest.fixture
def clock() -> JumpingClock:
    return JumpingClock()


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return worn_address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path, clock: JumpingClock) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks", world=World(clock=clock)) as opened:
        yield opened


@pytest.fixture
def another(url: str, tmp_path: Path) -> Another:
    """Another installation of the same store whose locks are elsewhere, as on another machine."""
    return lambda: rooms_on(url, locks=tmp_path / "other")


def expire(rooms: Rooms, lease: Lease) -> None:
    """Let the database's clock be past the end of a lease."""
    past = rooms.store.now() - timedelta(seconds=1)
    rooms.store.write(
        lambda connection: connection.execute(
            update(lease_terms).where(lease_terms.c.ulid == lease.ulid).values(until=past)
        )
    )


class TestTaking:
    def test_a_free_realm_gives_the_first_epoch(self, rooms: Rooms) -> None:
        lease = rooms.lease()

        assert (lease.epoch, lease.realm_tag, len(lease.ulid)) == (1, REALM.tag, 26)
        rooms.leases.still_ours(lease)

    def test_a_held_realm_names_its_holder(self, rooms: Rooms, another: Another) -> None:
        lease = rooms.lease(holder="desk-1")

        with another() as other, pytest.raises(RealmBusy) as caught:
            other.lease(holder="desk-2")

        assert caught.value.facts["holder"] == "desk-1"
        assert caught.value.facts["run_id"] == 1
        assert caught.value.facts["until"] == lease.until

    def test_by_the_same_process_twice_is_refused_too(self, rooms: Rooms) -> None:
        rooms.lease()

        with pytest.raises(RealmBusy):
            rooms.lease()

    def test_a_released_realm_goes_on_with_the_next_epoch(self, rooms: Rooms) -> None:
        first = rooms.lease()
        rooms.leases.release(first)

        second = rooms.lease()

        assert second.epoch == 2
        assert second.ulid != first.ulid
        with pytest.raises(LeaseLost):
            rooms.leases.still_ours(first)

    def test_two_realms_have_two_holders(self, rooms: Rooms) -> None:
        rooms.lease()

        assert rooms.leases.take(LIVE.tag, run_id=None, holder="desk-2").epoch == 1

    @pytest.mark.covers("C1")
    @pytest.mark.parametrize("held_before", [False, True], ids=["never held", "released"])
    def test_by_eight_at_once_has_one_winner(self, rooms: Rooms, held_before: bool) -> None:  # noqa: FBT001 - pytest passes parameters by name
        if held_before:
            rooms.leases.release(rooms.lease())

        def one(number: int) -> Lease | None:
            try:
                return rooms.lease(holder=f"thread-{number}")
            except RealmBusy:
                return None

        with ThreadPoolExecutor(8) as pool:
            won = [lease for lease in pool.map(one, range(8)) if lease is not None]

        assert len(won) == 1
        rooms.leases.still_ours(won[0])

    def test_writes_who_and_when_into_the_log(self, rooms: Rooms) -> None:
        rooms.leases.release(rooms.lease(), by=UWASE)

        assert [line.action for line in rooms.audit.entries(action="lease.")] == [
            "lease.taken",
            "lease.released",
        ]


class TestExpiry:
    def test_by_the_database_ends_the_right_to_send(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        expire(rooms, lease)

        with pytest.raises(LeaseLost):
            rooms.leases.still_ours(lease)
        with pytest.raises(LeaseLost):
            rooms.leases.renew(lease)

    @pytest.mark.covers("C3", "C6")
    def test_by_the_boot_clock_ends_it_while_the_database_still_waits(
        self, rooms: Rooms, clock: JumpingClock
    ) -> None:
        lease = rooms.lease()
        clock.boot_ms += 300_001  # a laptop that slept

        with pytest.raises(LeaseLost):
            rooms.leases.still_ours(lease)
        with pytest.raises(LeaseLost):
            rooms.claimed([1], lease=lease)

    @pytest.mark.covers("C3", "C8")
    def test_by_another_boot_ends_it(self, rooms: Rooms, clock: JumpingClock) -> None:
        lease = rooms.lease()
        clock.boot = "next-boot"

        with pytest.raises(LeaseLost):
            rooms.leases.still_ours(lease)

    def test_lets_another_machine_take_over(self, rooms: Rooms, another: Another) -> None:
        lease = rooms.lease()
        expire(rooms, lease)

        with another() as other:
            assert other.lease().epoch == 2

            record = other.leases.record(lease.ulid)
            assert record is not None
            assert not record.live
            assert record.ended_at == record.until

    def test_is_put_off_by_a_renewal_even_for_values_made_before(
        self, rooms: Rooms, clock: JumpingClock
    ) -> None:
        lease = rooms.lease()
        clock.boot_ms += 200_000
        renewed = rooms.leases.renew(lease)
        clock.boot_ms += 200_000

        rooms.leases.still_ours(lease)

        assert renewed.until >= lease.until
        assert renewed.ulid == lease.ulid


class TestFormerHolder:
    @pytest.mark.covers("A11", "H5")
    def test_can_write_nothing_after_another_took_over(
        self, rooms: Rooms, another: Another
    ) -> None:
        lease = rooms.lease()
        [intent] = rooms.sent([1], lease=lease)
        expire(rooms, lease)
        with another() as other:
            other.lease()
            lines = rooms.audit.head().id

            writes: list[Callable[[], object]] = [
                lambda: rooms.claimed([2], lease=lease),
                lambda: rooms.intended([2], lease=lease),
                lambda: rooms.journal.passed([intent.id], lease=lease, by=UWASE),
                lambda: rooms.journal.note_synced([1], lease=lease, by=UWASE),
                lambda: rooms.journal.absent([intent.id], again=True, lease=lease, by=UWASE),
                lambda: rooms.journal.fenced(1, lease=lease, by=UWASE),
                lambda: rooms.customers.unlink(REALM.tag, "25/00411/BBA", by=UWASE, lease=lease),
            ]
            for write in writes:
                with pytest.raises(LeaseLost):
                    write()

            assert rooms.audit.head().id == lines

    def test_may_add_a_late_answer(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        [intent] = rooms.sent([1], lease=lease)
        expire(rooms, lease)

        rooms.journal.late_answer(intent.id, outcome="ok", quickbooks_id="1046", by=UWASE)

        assert rooms.audit.entries(invoice_id=1)[-1].action == "invoice.late_answer"


class TestRecord:
    def test_of_our_own_lease_is_live(self, rooms: Rooms) -> None:
        lease = rooms.lease()

        record = rooms.leases.record(lease.ulid)

        assert record is not None
        assert record.live
        active = rooms.leases.active(REALM.tag)
        assert active is not None
        assert active.ulid == lease.ulid

    def test_of_a_released_one_tells_when(self, rooms: Rooms) -> None:
        lease = rooms.lease()
        rooms.leases.release(lease)

        record = rooms.leases.record(lease.ulid)

        assert record is not None
        assert not record.live
        assert record.ended_at < record.until
        assert rooms.leases.active(REALM.tag) is None

    def test_of_a_stranger_is_none(self, rooms: Rooms) -> None:
        assert rooms.leases.record("0" * 26) is None


@pytest.mark.skipif(sys.platform == "win32", reason="SIGKILL and SIGSTOP are Unix")
class TestDeath:
    @pytest.mark.covers("C4", "H1")
    def test_by_sigkill_lets_the_next_sender_begin_at_once(
        self, rooms: Rooms, url: str, tmp_path: Path
    ) -> None:
        with holder(url, locks=tmp_path / "locks") as (process, ulid):
            with pytest.raises(RealmBusy):
                rooms.lease()

            process.send_signal(signal.SIGKILL)
            process.wait(10)

            record = rooms.leases.record(ulid)
            assert record is not None
            assert not record.live
            assert rooms.lease().epoch == 2
            assert rooms.audit.entries(action="lease.seized") != []

    @pytest.mark.covers("H5")
    def test_is_not_believed_of_a_stopped_process(
        self, rooms: Rooms, url: str, tmp_path: Path
    ) -> None:
        with holder(url, locks=tmp_path / "locks") as (process, _):
            process.send_signal(signal.SIGSTOP)
            try:
                with pytest.raises(RealmBusy):
                    rooms.lease()
            finally:
                process.send_signal(signal.SIGCONT)

    def test_is_not_believed_from_another_machine(
        self, url: str, tmp_path: Path, another: Another
    ) -> None:
        with holder(url, locks=tmp_path / "locks") as (process, _):
            process.kill()
            process.wait(10)

        with another() as other, pytest.raises(RealmBusy):
            other.lease()


class holder:  # noqa: N801 - reads as what it gives
    """A process of its own that holds the lease."""

    def __init__(self, url: str, *, locks: Path) -> None:
        self._process = subprocess.Popen(  # noqa: S603 - this Python, a program of this file
            [sys.executable, "-c", HOLDER, url, str(locks)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> tuple[subprocess.Popen[str], str]:
        assert self._process.stdout is not None
        return self._process, self._process.stdout.readline().strip()

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.communicate()


class TestFileLock:
    def test_is_one_holders_until_given_back(self, tmp_path: Path) -> None:
        first, second = FileLock(tmp_path / "one.lock"), FileLock(tmp_path / "one.lock")

        assert first.take()
        assert first.take()
        assert not second.take()
        first.release()
        assert second.take()
        second.release()

    @pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
    def test_is_its_owners_only(self, tmp_path: Path) -> None:
        lock = FileLock(tmp_path / "one.lock")
        lock.take()
        lock.release()

        assert os.stat(tmp_path / "one.lock").st_mode & 0o077 == 0  # noqa: PTH116 - the mode as the system has it


class TestBinding:
    def test_is_nothing_before_the_first_use(self, rooms: Rooms) -> None:
        assert rooms.leases.bound("mis@db1") is None

    def test_holds_the_company_and_never_its_id(self, rooms: Rooms) -> None:
        rooms.leases.bind("mis@db1", realm=LIVE, company_name="Demo University", by=UWASE)

        bound = rooms.leases.bound("mis@db1")
        assert bound is not None
        assert (bound.realm_tag, bound.environment, bound.company_name) == (
            LIVE.tag,
            Environment.PRODUCTION,
            "Demo University",
        )
        assert LIVE.company_id not in repr(bound)

    def test_to_the_same_company_again_changes_nothing(self, rooms: Rooms) -> None:
        for _ in range(2):
            rooms.leases.bind("mis@db1", realm=LIVE, company_name="Demo University", by=UWASE)

        assert len(rooms.audit.entries(action="mis.bound")) == 1

    def test_to_another_company_needs_a_person(self, rooms: Rooms) -> None:
        other = Realm(Environment.PRODUCTION, "777")
        rooms.leases.bind("mis@db1", realm=LIVE, company_name="Demo University", by=UWASE)

        with pytest.raises(CompanyMismatch) as caught:
            rooms.leases.bind("mis@db1", realm=other, company_name="Other", by=UWASE)
        rooms.leases.bind("mis@db1", realm=other, company_name="Other", by=UWASE, force=True)

        assert caught.value.facts == {"company": "Demo University", "environment": "production"}
        bound = rooms.leases.bound("mis@db1")
        assert bound is not None
        assert bound.realm_tag == other.tag

    def test_never_moves_from_a_real_company_to_the_simulator(self, rooms: Rooms) -> None:
        rooms.leases.bind("mis@db1", realm=LIVE, company_name="Demo University", by=UWASE)

        with pytest.raises(CompanyMismatch):
            rooms.leases.bind("mis@db1", realm=REALM, company_name="Toy", by=UWASE, force=True)

    def test_by_two_at_once_to_two_companies_has_one_winner(self, rooms: Rooms) -> None:
        def one(number: int) -> bool:
            realm = Realm(Environment.PRODUCTION, str(number))
            try:
                rooms.leases.bind("mis@db1", realm=realm, company_name=str(number), by=UWASE)
            except CompanyMismatch:
                return False
            return True

        with ThreadPoolExecutor(8) as pool:
            assert list(pool.map(one, range(8))).count(True) == 1
