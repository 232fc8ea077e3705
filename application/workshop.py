"""Builds what talks to QuickBooks: client, limits, lanes, and the services that send."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import cached_property

from application.catalogue import QuickBooksUnavailable, StoreUnavailable
from application.invoices.model import Document, Realm
from application.invoices.outcomes import Refused, Unknown
from application.mis.claims import MisClaims
from application.premises import THROTTLE_MOST_S, reachable_from_elsewhere
from application.quickbooks.client import Client
from application.quickbooks.lanes import FanOut, Lanes
from application.quickbooks.meter import Traffic
from application.quickbooks.namesakes import others_named
from application.quickbooks.throttle import Limits as Pace
from application.quickbooks.throttle import Spent, Throttle
from application.reception import Reception
from application.rooms import Rooms
from application.services.arrivals import Arrivals
from application.services.checks import Checks
from application.services.crossing import Crossing
from application.services.customers import Customers
from application.services.driving import Driving
from application.services.invoice_sync import InvoiceSyncService, Limits
from application.services.looks import Check
from application.services.passage import Passage
from application.services.payers import Payers
from application.services.plans import Plans
from application.services.preflight import Preflight
from application.services.products import Products
from application.services.recording import Patience, Recording
from application.services.settling import Settling
from application.services.slicing import Slicing
from application.services.sweeping import Sweeping
from application.store.customers import Customers as Links
from application.store.notices import Notices
from application.store.usage import Spending


class Workshop:
    """Everything that sends into one company, each made when first asked for.

    Args:
        rooms: The MIS, the store and what else questions need too.
        reception: The sign-in.
    """

    def __init__(self, rooms: Rooms, *, reception: Reception) -> None:
        self._rooms = rooms
        self._reception = reception
        self.connection = reception.connection

    @cached_property
    def sync(self) -> InvoiceSyncService:
        """Send, retry, settle."""
        return InvoiceSyncService(
            progress=self._rooms.progress,
            choosing=self._rooms.choosing,
            company=self._rooms.company,
            connection=self.connection,
            passage=self._passage,
            slicing=self._slicing,
            resting=self._rooms.resting,
            sweeping=self._sweeping,
            settling=self._settling,
            driving=self._driving,
            reader=self._rooms.reader,
            journal=self._rooms.journal,
            runs=self._rooms.runs,
            leases=self._rooms.leases,
            world=self._rooms.world,
            limits=Limits(
                batch_size=self._rooms.settings.batch_size,
                max_retries=self._rooms.settings.max_retries,
                sends_max=self._rooms.settings.sends_max,
            ),
        )

    @cached_property
    def preflight(self) -> Preflight:
        """What a look at the company shows before anything is sent."""
        return Preflight(
            reader=self._rooms.reader,
            items=self._rooms.items,
            rules=self._rooms.plans.rules,
            connection=self.connection,
            world=self._rooms.world,
            currency=self._rooms.currency,
            fees_in_use=self._fees_in_use,
            others_named=lambda client, names: others_named(client.query, names),
        )

    def _fees_in_use(self) -> dict[int, int]:
        used = self._rooms.reader.fees_in_use()
        return {fee: waiting + failed for fee, (waiting, failed) in used.items()}

    def look(self) -> list[Check]:
        """Look at the company from every side that would refuse an invoice.

        Raises:
            Stop: QuickBooks cannot be asked.
        """
        return self.preflight.look(self._client)

    @cached_property
    def checks(self) -> Checks:
        """What `doctor` looks at."""
        return Checks(
            reader=self._rooms.reader,
            connection=self.connection,
            client=lambda: self._client,
            audit=self._rooms.audit,
            shown=self._own_checks,
            preflight=self.preflight,
            looks=self._rooms.looks,
        )

    def documents(self, ids: Sequence[str]) -> Sequence[Document]:
        """Return invoices as QuickBooks holds them now; by Id, which no search index delays.

        Raises:
            Stop: QuickBooks cannot be asked.
        """
        found = [self._client.document_by_id(one) for one in ids]
        if any(isinstance(one, Refused | Unknown) for one in found):
            self._client.require_reads()
            raise QuickBooksUnavailable(detail="a read was not answered")
        return [one for one in found if isinstance(one, Document)]

    def read_company(self) -> None:
        """Read company, preferences and products again."""
        self.connection.read_company(self._client)

    @cached_property
    def _passage(self) -> Passage:
        return Passage(
            choosing=self._rooms.choosing,
            connection=self.connection,
            crossing=self._crossing(self._lanes()),
            beside=self._crossing(self._lanes()),
            sweeping=self._sweeping,
            settling=self._settling,
            driving=self._driving,
            client=self._client,
            journal=self._rooms.journal,
            items=self._rooms.items,
            runs=self._rooms.runs,
            world=self._rooms.world,
            max_retries=self._rooms.settings.max_retries,
            sends_max=self._rooms.settings.sends_max,
        )

    @cached_property
    def _slicing(self) -> Slicing:
        return Slicing(
            choosing=self._rooms.choosing,
            connection=self.connection,
            passage=self._passage,
            driving=self._driving,
            resting=self._rooms.resting,
            reader=self._rooms.reader,
            runs=self._rooms.runs,
            slices=self._rooms.slices,
            world=self._rooms.world,
        )

    @cached_property
    def _realm(self) -> Realm:
        # Not `realm`: the name of a company that is not bound yet must be readable, to be typed.
        # Asked once, since another company means another workshop.
        return self.connection.connected_realm()

    @cached_property
    def _client(self) -> Client:
        ms = self._rooms.world.clock.scaled_ms
        company_id = self._realm.company_id
        client = Client(
            world=self._rooms.world,
            base_url=self._reception.api_url,
            company_id=company_id,
            access_token=lambda: self.connection.access_token(company_id=company_id),
            fresh_token=lambda failed: self.connection.fresh_token(failed, company_id=company_id),
            throttle=self._throttle,
            environment=self._rooms.environment,
            read_timeout_ms=ms(self._rooms.settings.read_timeout_s),
            connect_timeout_ms=ms(self._rooms.settings.connect_timeout_s),
            check_to_send_ms=ms(self._rooms.settings.check_to_send_s),
            idle_ms=ms(self._rooms.settings.idle_connection_s),
            transport=self._rooms.outside.road if self._rooms.outside else None,
        )
        self._rooms.things.callback(client.close)
        return client

    @cached_property
    def _throttle(self) -> Throttle:
        settings = self._rooms.settings
        return Throttle(
            world=self._rooms.world,
            limits=Pace(
                per_second=settings.requests_per_second,
                per_minute=settings.requests_per_minute,
                bundles_per_minute=settings.batches_per_minute,
                in_flight_max=settings.in_flight_max,
                pause_s=settings.throttle_pause_s,
                pause_most_s=THROTTLE_MOST_S,
                breaker_after=settings.breaker_after,
                breaker_min_s=settings.breaker_min_s,
                breaker_most_s=settings.breaker_max_s,
            ),
            recall=self._spent,
            remember=lambda spent: self._rooms.items.remember(self._windows, spent.kept()),
            beside=self._notices(),
            traffic=self._traffic,
        )

    @cached_property
    def _traffic(self) -> Traffic:
        tag, usage = self._realm.tag, self._rooms.usage
        traffic = Traffic(lambda requests, reads: usage.add(tag, Spending(requests, reads)))
        self._rooms.things.callback(_handed_on, traffic)
        return traffic

    def _notices(self) -> Notices | None:
        """Return how other processes of this machine tell what they send; simulated ones do not."""
        if self._rooms.outside is not None:
            return None
        world = self._rooms.world
        name = world.chance.ulid(at=world.clock.now())
        notices = Notices(
            self._rooms.place.locks, subject=self._windows, name=name, nap=world.clock.sleep_ms
        )
        self._rooms.things.callback(notices.close)
        return notices

    @property
    def _windows(self) -> str:
        return f"windows.{self._realm.tag}"

    def _spent(self) -> Spent | None:
        """Return what QuickBooks' limits had taken in when the last sender ended."""
        kept = self._rooms.items.recall(self._windows)
        return Spent.of(kept) if isinstance(kept, dict) else None

    @cached_property
    def _fan_out(self) -> FanOut:
        if self._rooms.outside is not None:
            return self._rooms.outside.fan_out
        pool = ThreadPoolExecutor(max_workers=self._rooms.settings.in_flight_max)
        self._rooms.things.callback(pool.shutdown, wait=False, cancel_futures=True)
        return pool

    def _lanes(self) -> Lanes:
        return Lanes(
            client=self._client,
            throttle=self._throttle,
            world=self._rooms.world,
            fan_out=self._fan_out,
        )

    @cached_property
    def _patience(self) -> Patience:
        return Patience(world=self._rooms.world, waits=self._rooms.waits, logs=self._rooms.logs)

    @cached_property
    def _claims(self) -> MisClaims:
        return MisClaims(self._rooms.mis, world=self._rooms.world)

    @cached_property
    def _recording(self) -> Recording:
        return Recording(
            journal=self._rooms.journal,
            claims=self._claims,
            reader=self._rooms.reader,
            leases=self._rooms.leases,
            world=self._rooms.world,
            logs=self._rooms.logs,
            patiently=self._patience,
        )

    @cached_property
    def _plans(self) -> Plans:
        """Plans that may create a product where the installation allows it."""
        products = Products(
            client=self._client,
            items=self._rooms.items,
            connection=self.connection,
            by=self._rooms.actor("run"),
            income_account=self._rooms.settings.item_income_account,
        )
        return self._rooms.plans_with(products.make)

    @cached_property
    def _settling(self) -> Settling:
        return Settling(
            journal=self._rooms.journal,
            reader=self._rooms.reader,
            recording=self._recording,
            plans=self._rooms.plans,
            client=self._client,
            world=self._rooms.world,
            waits=self._rooms.waits,
            logs=self._rooms.logs,
            sends_max=self._rooms.settings.sends_max,
        )

    @cached_property
    def _sweeping(self) -> Sweeping:
        return Sweeping(
            journal=self._rooms.journal,
            leases=self._rooms.leases,
            reader=self._rooms.reader,
            claims=self._claims,
            recording=self._recording,
            settling=self._settling,
            plans=self._rooms.plans,
            world=self._rooms.world,
        )

    @cached_property
    def _driving(self) -> Driving:
        return Driving(
            runs=self._rooms.runs,
            leases=self._rooms.leases,
            reader=self._rooms.reader,
            company=self._rooms.company,
            progress=self._rooms.progress,
            world=self._rooms.world,
            waits=self._rooms.waits,
            logs=self._rooms.logs,
            holder=self._rooms.holder,
            paused_ms=self._throttle.paused_ms,
            spent=lambda: Spending(self._traffic.requests, self._traffic.reads),
            hand_on=lambda now: _handed_on(self._traffic, now=now),
            while_waiting=self._throttle.while_waiting,
        )

    def _crossing(self, lanes: Lanes) -> Crossing:
        journal = self._rooms.journal
        links = Links(self._rooms.store, audit=self._rooms.audit, world=self._rooms.world)
        customers = Customers(
            journal=journal,
            links=links,
            payers=Payers(
                journal=journal, links=links, client=self._client, world=self._rooms.world
            ),
            lanes=self._lanes(),
            world=self._rooms.world,
            waits=self._rooms.waits,
        )
        arrivals = Arrivals(
            journal=self._rooms.journal,
            plans=self._rooms.plans,
            customers=customers,
            recording=self._recording,
            settling=self._settling,
            lanes=lanes,
            client=self._client,
            world=self._rooms.world,
            waits=self._rooms.waits,
        )
        return Crossing(
            reader=self._rooms.reader,
            claims=self._claims,
            journal=self._rooms.journal,
            plans=self._plans,
            customers=customers,
            recording=self._recording,
            settling=self._settling,
            arrivals=arrivals,
            lanes=lanes,
            client=self._client,
            world=self._rooms.world,
            waits=self._rooms.waits,
            patiently=self._patience,
        )

    def _own_checks(self) -> list[Check]:
        return [
            Check("Settings", "ok", f"QUICKBOOKS_ENVIRONMENT is {self._rooms.environment.value}"),
            Check("Store", "ok", f"{self._rooms.store.url_shown} answers"),
            *self._doors(),
        ]

    def _doors(self) -> list[Check]:
        """Say what an address that can be reached from elsewhere needs."""
        settings = self._rooms.settings
        if not reachable_from_elsewhere(settings):
            return []
        text = f"HOST is {settings.host}: the REST interface speaks plain HTTP and can be reached"
        return [Check("Binding", "warn", text, "Put a TLS proxy in front of it.")]


def _handed_on(traffic: Traffic, *, now: int | None = None) -> None:
    """Have what was asked added up; nothing that is sent depends on it."""
    with suppress(StoreUnavailable):
        traffic.hand_on(now)
