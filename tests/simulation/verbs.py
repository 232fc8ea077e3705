"""What a process of a simulated world does on an installation."""

from collections.abc import Callable, Sequence

from application.services.reports import Caller
from tests.simulation.ground import Installation

Verb = Callable[[Installation], None]


def driving(run_id: int, *, caller: Caller) -> Verb:
    """Go on with a durable run."""

    def drive(services: Installation) -> None:
        services.sync.drive(run_id, caller=caller)

    return drive


def sending(*, caller: Caller) -> Verb:
    """Send whatever waits."""

    def send(services: Installation) -> None:
        services.sync.all(caller=caller)

    return send


def retrying(failed: Sequence[int], *, caller: Caller) -> Verb:
    """Try failed ones again."""

    def retry(services: Installation) -> None:
        services.sync.retry(failed, caller=caller)

    return retry
