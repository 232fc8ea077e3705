"""The one seam a door needs: settings in, services out, each built when first asked for."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import TYPE_CHECKING

from application.catalogue import NO_SIGN_IN, NotConnected, NotFound
from application.invoices.model import Document, Environment
from application.premises import (
    clock_scale_of,
    demo_settings,
    home,
    home_of_files,
    load_settings,
    make_demo_mis,
)
from application.settings import Settings
from application.store.liveness import FileLock
from application.views import Views
from application.world import Clock, World

if TYPE_CHECKING:
    from application.metrics import Metrics
    from application.quickbooks.lanes import Outside
    from application.reception import Reception
    from application.services.checks import Checks
    from application.services.connection import Connection
    from application.services.health import Health
    from application.services.invoice_sync import InvoiceSyncService
    from application.services.looks import Check, Seen
    from application.services.ordering import Ordering
    from application.stage.controls import Controls
    from application.stage.minder import Minder
    from application.store.runs import Run
    from application.verify.quickbooks_book import Road
    from application.verify.verifier import Verifier
    from application.workshop import Workshop

__all__ = [
    "Services",
    "build",
    "demo_settings",
    "home",
    "home_of_files",
    "load_settings",
    "make_demo_mis",
    "new_key",
]

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def new_key() -> str:
    """Return a key for the sign-in, for ENCRYPTION_KEYS."""
    from application.store.tokens import new_key as made

    return made()


def nowhere(run: "Run") -> None:
    """Leave a run for the server, which looks for such by itself."""
    del run


class Services(Views):
    """Everything a door may ask. What talks to QuickBooks is loaded on first use only."""

    def __init__(
        self,
        settings: Settings,
        *,
        world: World,
        open_things: ExitStack,
        outside: "Outside | None" = None,
    ) -> None:
        super().__init__(settings, world=world, open_things=open_things, outside=outside)
        self.submit: Callable[[Run], None] = nowhere  # a server puts its engine here
        self._building = Lock()
        self._built: tuple[str | None, Workshop] | None = None

    @cached_property
    def _reception(self) -> "Reception":
        from application.reception import Reception

        return Reception(self, submit=self._hand_on)

    def _hand_on(self, run: "Run") -> None:
        self.submit(run)

    @property
    def _workshop(self) -> "Workshop":
        """What sends into the company that is connected now; another company, another workshop."""
        from application.workshop import Workshop

        tag = self.company.realm_tag()
        with self._building:
            if self._built is None or self._built[0] != tag:
                self._built = (tag, Workshop(self, reception=self._reception))
            return self._built[1]

    @property
    def sync(self) -> "InvoiceSyncService":
        """Send, retry, settle."""
        return self._workshop.sync

    @property
    def connection(self) -> "Connection":
        """The sign-in to QuickBooks."""
        return self._reception.connection

    def look_at_company(self) -> "list[Check]":
        """Look at the company from every side that would refuse an invoice.

        Raises:
            Stop: QuickBooks cannot be asked.
        """
        return self._workshop.look()

    def company_seen(self) -> "Seen | None":
        """Return what the last look found, without asking QuickBooks."""
        return self._workshop.preflight.known(self.company.realm_tag())

    @cached_property
    def health(self) -> "Health":
        """What a run needs, QuickBooks as last known."""
        from application.services.health import Health

        return Health(
            reader=self.reader,
            progress=self.progress,
            store=self.store,
            runs=self.runs,
            audit=self.audit,
            anchors=self.anchors,
            company=self.company,
            logs=self.logs,
            clock=self.world.clock,
        )

    @cached_property
    def metrics(self) -> "Metrics":
        """What is counted."""
        from application.metrics import Metrics

        return Metrics(now_ms=self.world.clock.since_boot_ms, figures=self.health.figures)

    @property
    def ordering(self) -> "Ordering":
        """Durable runs: begun, paused, resumed, cancelled."""
        return self._reception.ordering

    @property
    def checks(self) -> "Checks":
        """What `doctor` looks at."""
        return self._workshop.checks

    @cached_property
    def controls(self) -> "Controls":
        """What the demo lets people break.

        Raises:
            NotFound: QuickBooks is real here.
        """
        if self.environment is not Environment.SIMULATOR:
            raise NotFound(what="the demo")
        from application.stage.controls import Controls
        from application.stage.levers import Levers

        return Controls(
            levers=Levers(self._reception.control_url),
            place=self.place,
            listing=lambda: self.listing,
            causes=lambda: self.causes,
            company=self.company,
            connection=lambda: self.connection,
            read_company=self.read_company,
            today=lambda: self.world.clock.now().astimezone(self.office).date(),
            logs=self.logs,
        )

    def minder(self, *, port: int) -> "Minder":
        """Return what keeps a server of this demo up."""
        from application.stage.minder import Minder

        minder = Minder(self.place, clock=self.world.clock, port=port)
        self.things.callback(minder.close)
        return minder

    def minded(self) -> bool:
        """Return whether a `demo` command keeps a server of this installation up."""
        from application.stage.minder import minded

        return minded(self.place)

    def server_runs(self) -> bool:
        """Return whether a server of this installation drives durable runs on this machine."""
        lock = FileLock(self.place.engine_lock)
        if not self.place.engine_lock.exists() or lock.take():
            lock.release()
            return False
        return True

    def paces(self, runs: "Sequence[Run]") -> dict[int, Mapping[str, object]]:
        """Return what the newest progress of each run at work said of rate and time left."""
        from application.store.events import PROGRESS

        going = [run.id for run in runs if run.state == "running"]
        return {
            run_id: one.content
            for run_id in going
            for one in self.events.present(run_id, up_to=self.events.newest_id())
            if one.event == PROGRESS
        }

    def paused_until(self) -> datetime | None:
        """Return until when QuickBooks asked us to wait; None where it does not."""
        tag = self.company.realm_tag()
        kept = self.items.recall(f"windows.{tag}") if tag else None
        until_ms = kept.get("paused_until") if isinstance(kept, dict) else None
        if not isinstance(until_ms, int):
            return None
        until = EPOCH + timedelta(milliseconds=until_ms)
        return until if until > self.world.clock.now() else None

    def reads(self) -> tuple[int, int] | None:
        """Return the reads of this month and how many Intuit grants; None without a company."""
        tag = self.company.realm_tag()
        if tag is None:
            return None
        month = self.usage.of_month(tag, at=self.world.clock.now())
        return month.reads, self.settings.reads_per_month

    def documents(self, ids: Sequence[str]) -> Sequence[Document]:
        """Return invoices as QuickBooks holds them now.

        Raises:
            Stop: QuickBooks cannot be asked.
        """
        return self._workshop.documents(ids)

    def read_company(self) -> None:
        """Read company, preferences and products again."""
        self._workshop.read_company()

    def verifier(self, *, quickbooks: bool, say: Callable[[str], None]) -> "Verifier":
        """Return the independent checker; it gets addresses, and reads for itself.

        Args:
            quickbooks: Whether QuickBooks is asked too.
            say: Called with a sentence when something long begins.

        Raises:
            Stop: Nobody is connected, or to another company.
            verify.values.Unreadable: A book is not where the settings say.
        """
        from application.verify.opening import opened
        from application.verify.values import Terms
        from application.verify.verifier import Books, Verifier

        road = self._road() if quickbooks else None
        mis = opened(self.settings.mis_address(self.place.mis_file), name="mis", offset=self.offset)
        self.things.callback(mis.close)
        store = opened(self.settings.store_address(self.place.store_file), name="store")
        self.things.callback(store.close)
        terms = Terms(
            mis_key=self.mis.key,
            realm_tag=self.company.realm_tag() if road else None,
            invoices_from=self.settings.invoices_from,
            net=self.settings.amount_rule == "net",
            stuck_after=timedelta(
                milliseconds=self.waits.lease_ms
                + self.waits.grace_ms
                + self.world.clock.scaled_ms(self.settings.read_timeout_s)  # one settle
            ),
            now=self.world.clock.now,
        )
        logs = self.settings.feebridge_home / self.settings.log_dir
        anchors = sorted(logs.glob("audit-anchors*.jsonl"))
        books = Books.of(mis=mis, store=store, road=road, anchors=anchors, terms=terms)
        return Verifier(books, terms=terms, say=say)

    def _road(self) -> "Road":
        """Return the way to the connected company; nobody signs in for it."""
        from application.verify.quickbooks_book import Road

        if not self.company.state().connected:
            raise NotConnected(since="", reason=NO_SIGN_IN)
        company_id = self.connection.realm().company_id
        clock = self.world.clock

        def token(refused: str | None) -> str:
            if refused is None:
                return self.connection.access_token(company_id=company_id)
            return self.connection.fresh_token(refused, company_id=company_id)

        return Road(
            base=self._reception.api_url,
            company=company_id,
            token=token,
            wait_ms=lambda wait_ms: clock.sleep_ms(wait_ms // clock.scale),
        )


@contextmanager
def build(
    settings: Settings | None = None,
    *,
    world: World | None = None,
    outside: "Outside | None" = None,
) -> Iterator[Services]:
    """Yield the services, and close at the end whatever was opened.

    Args:
        settings: Checked settings; read from the environment when absent.
        world: Time, chance and gates; the real ones when absent.
        outside: Another road to QuickBooks and other threads; the real ones when absent.

    Raises:
        ConfigInvalid: A setting is missing or wrong.
    """
    chosen = settings or load_settings()
    with ExitStack() as things:
        yield Services(
            chosen,
            world=world or World(clock=Clock(scale=clock_scale_of(chosen))),
            open_things=things,
            outside=outside,
        )
