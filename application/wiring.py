"""The one seam a door needs: settings in, services out, each built when first asked for."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from functools import cached_property
from typing import TYPE_CHECKING

from application.invoices.model import Document
from application.rooms import (
    Rooms,
    clock_scale_of,
    demo_settings,
    home,
    home_of_files,
    load_settings,
    make_demo_mis,
)
from application.settings import Settings
from application.store.tokens import new_key
from application.world import Clock, World

if TYPE_CHECKING:
    from application.services.checks import Checks
    from application.services.connection import Connection
    from application.services.invoice_sync import InvoiceSyncService
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


class Services(Rooms):
    """Everything a door may ask. What talks to QuickBooks is loaded on first use only."""

    @cached_property
    def _workshop(self) -> "Workshop":
        from application.workshop import Workshop  # noqa: PLC0415 - a question must start fast

        return Workshop(self)

    @property
    def sync(self) -> "InvoiceSyncService":
        """Send, retry, settle."""
        return self._workshop.sync

    @property
    def connection(self) -> "Connection":
        """The sign-in to QuickBooks."""
        return self._workshop.connection

    @property
    def checks(self) -> "Checks":
        """What `doctor` looks at."""
        return self._workshop.checks

    def documents(self, ids: Sequence[str]) -> Sequence[Document]:
        """Return invoices as QuickBooks holds them now.

        Raises:
            Stop: QuickBooks cannot be asked.
        """
        return self._workshop.documents(ids)

    def read_company(self) -> None:
        """Read company, preferences and products again."""
        self._workshop.read_company()


@contextmanager
def build(settings: Settings | None = None, *, world: World | None = None) -> Iterator[Services]:
    """Yield the services, and close at the end whatever was opened.

    Args:
        settings: Checked settings; read from the environment when absent.
        world: Time, chance and gates; the real ones when absent.

    Raises:
        ConfigInvalid: A setting is missing or wrong.
    """
    chosen = settings or load_settings()
    with ExitStack() as things:
        yield Services(
            chosen,
            world=world or World(clock=Clock(scale=clock_scale_of(chosen))),
            open_things=things,
        )
