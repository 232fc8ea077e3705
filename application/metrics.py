"""One event = one counter, and what a look at the installation adds: text for GET /metrics."""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Final

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from typing_extensions import override

from application.causes import CAUSES

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
FRESH_MS: Final = 5_000
LABELS_MAX: Final = 200  # different values of one label; an endless set would fill the memory
OTHER: Final = "other"
BUCKETS_MS: Final = (5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000)
_OUTCOMES: Final = {"successful": "synced", "failed": "failed", "unsettled": "unsettled"}


@dataclass(frozen=True, slots=True)
class Figures:
    """What stands at the moment; a figure nobody could read is absent, never zero."""

    invoices: Mapping[str, int] = field(default_factory=dict)  # by status
    runs: Mapping[str, int] = field(default_factory=dict)  # by state, those not ended
    connected: bool | None = None
    sign_in_left_s: int | None = None  # until somebody must sign in again, if it is not renewed
    audit_entries: int | None = None
    store_bytes: int | None = None


class Metrics:
    """Counts events and shows figures; no label ever holds a person, an id or a path.

    Args:
        now_ms: A clock that only goes forward.
        figures: Reads what stands now; asked at most every five seconds, and only when scraped.
    """

    def __init__(self, *, now_ms: Callable[[], int], figures: Callable[[], Figures]) -> None:
        # Else each counter has a second line, which nobody asks for.
        disable_created_metrics()  # type: ignore[no-untyped-call]  # theirs has no types
        self._registry = CollectorRegistry()
        self._registry.register(_Standing(now_ms=now_ms, figures=figures))
        self._seen: dict[str, set[str]] = {}
        self._events = self._counter("events", "Lines of the log.", "event", "level")
        self._invoices = self._counter("invoices", "Invoices of finished runs.", "outcome")
        self._refused = self._counter("refusals", "Invoices refused, by cause.", "error_code")
        self._pauses = self._counter("quickbooks_pauses", "Times QuickBooks made us wait.")
        self._paused = self._counter(
            "quickbooks_paused_milliseconds", "How long QuickBooks made us wait."
        )
        self._requests = self._counter(
            "http_requests", "Requests answered.", "method", "route", "status"
        )
        self._durations = Histogram(
            "feebridge_http_request_milliseconds",
            "How long answers took.",
            ("method", "route"),
            buckets=BUCKETS_MS,
            registry=self._registry,
        )

    def count(self, event: str, level: str, facts: Mapping[str, object]) -> None:
        """Count one event; handed to `Logs.feed`.

        Args:
            event: Its dotted name.
            level: How loud it was.
            facts: As they were written.
        """
        self._events.labels(self._bounded("event", event), self._bounded("level", level)).inc()
        match event:
            case "run.finished":
                for name, outcome in _OUTCOMES.items():
                    self._invoices.labels(outcome).inc(_whole(facts, name))
            case "invoice.refused":
                self._refused.labels(_cause(facts)).inc()
            case "run.throttled":
                self._pauses.inc()
                self._paused.inc(_whole(facts, "paused_ms"))
            case "request.answered":
                self._answered(facts)
            case _:
                pass

    def text(self) -> str:
        """Return everything in Prometheus' text form."""
        return generate_latest(self._registry).decode()

    def _answered(self, facts: Mapping[str, object]) -> None:
        method = self._bounded("method", facts.get("method"))
        route = self._bounded("route", facts.get("route"))
        status = self._bounded("status", facts.get("http_status"))
        self._requests.labels(method, route, status).inc()
        self._durations.labels(method, route).observe(_whole(facts, "milliseconds"))

    def _bounded(self, label: str, value: object) -> str:
        """Return the value, or `other` once a label has had too many different ones."""
        seen = self._seen.setdefault(label, set())
        text = OTHER if value is None else str(value)
        if text not in seen and len(seen) >= LABELS_MAX:
            return OTHER
        seen.add(text)
        return text

    def _counter(self, name: str, told: str, *labels: str) -> Counter:
        return Counter(f"feebridge_{name}", told, labels, registry=self._registry)


class _Standing(Collector):
    """Figures read when somebody looks, kept for a moment so that looking costs little."""

    def __init__(self, *, now_ms: Callable[[], int], figures: Callable[[], Figures]) -> None:
        self._now_ms = now_ms
        self._figures = figures
        self._kept: tuple[int, Figures] | None = None

    @override
    def collect(self) -> Iterable[Metric]:
        """Yield each figure that could be read."""
        now = self._fresh()
        yield _gauge("invoices_now", "Invoices by status.", "status", now.invoices)
        yield _gauge("runs_now", "Runs that have not ended, by state.", "state", now.runs)
        single: dict[str, tuple[str, int | None]] = {
            "quickbooks_connected": ("1 while a sign-in is held.", now.connected),
            "sign_in_left_seconds": ("Until the sign-in ends, unless renewed.", now.sign_in_left_s),
            "audit_entries": ("Entries of the audit log.", now.audit_entries),
            "store_bytes": ("Size of our own database.", now.store_bytes),
        }
        for name, (told, value) in single.items():
            if value is not None:
                yield GaugeMetricFamily(f"feebridge_{name}", told, value=int(value))

    def _fresh(self) -> Figures:
        now_ms = self._now_ms()
        if self._kept is None or now_ms - self._kept[0] >= FRESH_MS:
            self._kept = (now_ms, self._figures())
        return self._kept[1]


def _gauge(name: str, told: str, label: str, values: Mapping[str, int]) -> GaugeMetricFamily:
    gauge = GaugeMetricFamily(f"feebridge_{name}", told, labels=(label,))
    for value, count in sorted(values.items()):
        gauge.add_metric((value,), count)
    return gauge


def _whole(facts: Mapping[str, object], name: str) -> int:
    """Return a count; nothing where the fact is missing or no number."""
    value = facts.get(name)
    return max(0, value) if isinstance(value, int) else 0


def _cause(facts: Mapping[str, object]) -> str:
    code = str(facts.get("error_code"))
    return code if code in CAUSES else OTHER
