"""Every open question about QuickBooks as a switch, with the answer taken by default."""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, Final

from qbo_simulator.codec import NotJson, Thing, decode

CHOICES: Final = {
    "requestid_conflict": ("replay", "600"),
    "requestid_inflight": ("wait", "600", "6000", "twice"),
    "throttle_body": ("turn", "xml", "json"),
    "windows": ("sliding", "fixed"),
    "missing_item": ("refuse", "default", "ignore"),
    "docnumber_length": ("2050", "6000"),
    "docnumber_scope": ("type", "sales"),
    "delete_paid": ("6000", "620", "800"),
    "tracking_off": ("ignore", "5020", "6000"),
    "max_results": ("refuse", "cap"),
    "unknown_id": ("610", "404"),
    "batch_cost": ("one", "items"),
    "replay_deleted": ("original", "create"),
    "currency_fault": ("6000", "2220"),
    "batch_key": ("item", "bundle", "none"),
    "batch_replay": ("replay", "6000"),
    "batch_order": ("request", "random"),
    "commit_then_refuse": ("off", "429", "6000"),
    "inactive_reference": ("2500", "610", "6250"),
    "duplicate_name_text": ("turn", "id", "null", "long", "token", "french"),
    "unauthorized_body": ("json", "xml", "turn"),
    "refresh_rotation": ("always", "daily"),
    "framing": ("chunked", "length"),
}


class NoSuchKnob(ValueError):
    """A knob that does not exist, or a value it does not take."""


@dataclass(slots=True)
class Knobs:
    """The switches. Seconds are simulated ones; `latency_ms` alone is real."""

    throttles: bool = True
    latency_ms: list[int] = field(default_factory=lambda: [0, 0])
    index_lag_s: list[float] = field(default_factory=lambda: [0.0, 5.0])
    requestid_ttl_s: int | None = 86_400
    requestid_conflict: str = "replay"
    requestid_cache_faults: bool = False
    requestid_inflight: str = "wait"
    throttle_body: str = "turn"
    retry_after: int | None = None
    windows: str = "sliding"
    missing_item: str = "refuse"
    duplicate_warning: bool = True
    docnumber_when_auto: bool = False
    docnumber_length: str = "2050"
    docnumber_scope: str = "type"
    number_not_kept: bool = False
    auto_apply_credit: bool = False
    money_scale: int = 2
    delete_paid: str = "6000"
    tracking_off: str = "ignore"
    max_results: str = "refuse"
    unknown_id: str = "610"
    refresh_grace_s: int = 0
    refresh_rotation: str = "always"
    batch_cost: str = "one"
    batch_key: str = "item"
    batch_replay: str = "replay"
    batch_order: str = "request"
    replay_deleted: str = "original"
    currency_fault: str = "6000"
    late_commit_s: int | None = None
    commit_then_refuse: str = "off"
    inactive_reference: str = "2500"
    duplicate_name_text: str = "turn"
    unauthorized_body: str = "json"
    phone_max: int = 30
    coreplus_quota: int = 500_000
    framing: str = "chunked"
    gzip: bool = False

    def change(self, name: str, value: object) -> None:
        """Turn one knob.

        Raises:
            NoSuchKnob: Unknown name or value.
        """
        if name not in {one.name for one in fields(self)}:
            raise NoSuchKnob(name)
        setattr(self, name, self._accepted(name, value))

    def _accepted(self, name: str, value: object) -> object:
        if name in CHOICES:
            if str(value) not in CHOICES[name]:
                raise NoSuchKnob(f"{name}: {value}, not one of {', '.join(CHOICES[name])}")
            return str(value)
        if name in {"latency_ms", "index_lag_s"}:
            return _span(name, value)
        current = getattr(Knobs(), name)
        if isinstance(current, bool) != isinstance(value, bool):
            raise NoSuchKnob(f"{name}: {value}")
        if not isinstance(value, int) and not (value is None and name in NULLABLE):
            raise NoSuchKnob(f"{name}: {value}")
        return value

    def shown(self) -> Thing:
        """Return every knob and its value."""
        return asdict(self)


NULLABLE: Final = {"requestid_ttl_s", "retry_after", "late_commit_s"}


def _span(name: str, value: object) -> list[Any]:
    ends: list[Any] = value if isinstance(value, list) else [0, value]
    if (
        len(ends) != 2  # noqa: PLR2004  # a span has two ends
        or any(isinstance(end, bool | str) or end is None for end in ends)
        or not 0 <= ends[0] <= ends[1]
    ):
        raise NoSuchKnob(f"{name}: {value}")
    return [float(end) for end in ends]


def parsed(setting: str) -> tuple[str, object]:
    """Return name and value of `name=value`; the value is JSON, else plain text."""
    name, _, text = setting.partition("=")
    try:
        return name, decode(text.encode())
    except NotJson:
        return name, text
