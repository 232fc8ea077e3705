"""What a server does every so often: each verb in its own thread, apart from others' faults."""

from collections.abc import Callable
from threading import Event, Thread

from application.catalogue import Stop
from application.logs import Logs

Verb = Callable[[], object]


class Timers:
    """Repeats verbs until told to stop.

    Args:
        logs: Where a verb that failed is told.
    """

    def __init__(self, *, logs: Logs) -> None:
        self._logs = logs
        self._over = Event()
        self._threads: list[Thread] = []

    def every(self, milliseconds: int, name: str, verb: Verb) -> None:
        """Repeat a verb, with that long a rest after each time.

        Args:
            milliseconds: The rest.
            name: For the log.
            verb: What to do; it may be done twice, or not for a while, without harm.
        """
        thread = Thread(
            target=self._repeat, args=(milliseconds, name, verb), name=f"timer {name}", daemon=True
        )
        self._threads.append(thread)
        thread.start()

    def stop(self) -> None:
        """Have every verb in hand be the last, and wait for it."""
        self._over.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _repeat(self, milliseconds: int, name: str, verb: Verb) -> None:
        told = ""
        while not self._over.wait(milliseconds / 1000):
            try:
                verb()
                told = ""
            except Stop as stop:
                # Conditions last; one line when one begins is enough.
                if told != stop.cause:
                    told = stop.cause
                    self._logs.event("timer.waits", step=name, error_code=stop.cause)
            except Exception as fault:  # noqa: BLE001 - a fault in one verb must not end the others; it is in the log
                self._logs.fault("timer.failed", fault, step=name)
