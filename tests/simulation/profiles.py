"""What a world may suffer: each seed draws a small part of it, so that faults meet undiluted."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

CLOSED = "2021-06-01"  # the books of that year are closed in QuickBooks, and we are not told
SECOND, MINUTE, HOUR, DAY = 1_000, 60_000, 3_600_000, 86_400_000

FATES = (
    "lost", "refused", "no_connect", "torn_request", "late_commit", "answer_lost", "answer_late",
    "torn_answer", "doubled_request", "doubled_answer", "cut_idle", "slow_wire",
)  # fmt: skip
TROUBLES = (
    "drop_before_commit", "drop_after_commit", "drop_half_answer", "hang", "slow", "drip",
    "wrong_length", "html_404", "html_502", "html_504", "stream_timeout", "server_error_10000",
    "error_6000_unexpected", "throttle_429", "unauthorized_401", "bad_json_200", "nan",
    "doubled_keys", "refuse", "refuse_connection", "lose_refresh_answer",
)  # fmt: skip
BUNDLE_TROUBLES = (
    "missing_bid", "doubled_bid", "foreign_bid", "cut_batch", "drop_after_commit",
    "drop_before_commit", "hang", "error_6000_unexpected",
)  # fmt: skip
REFUSALS = (
    ("6140", "Duplicate Document Number Error"), ("2500", "Invalid Reference Id"),
    ("2020", "Required param missing"), ("6210", "The account period has closed"),
    ("610", "Object Not Found"), ("5010", "Stale Object Error"), ("9999", "Something new"),
    ("6000", "A business validation error has occurred"), ("600", "Request already used"),
    ("140", "Authorization service unavailable"),
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Profile:
    """One row of the test catalogue.

    Args:
        name: As the command line knows it.
        bundles: How often a world is large enough for bundles.
        clocks: Whether the machine's clock is set to and fro.
        broken: Whether QuickBooks breaks what the protocol assumes.
        disasters: Whether the MIS or the store goes back in time.
        scripted: Whether the seed's number alone says which fault strikes at which gate.
        small: Whether there is one process with one verb, and nobody tidies up what is at rest.
        pinned: Knobs of QuickBooks that are not drawn.
        bend: Changes what was drawn, for a world that lacks something on purpose.
    """

    name: str
    bundles: float = 0.05
    clocks: bool = False
    broken: bool = False
    disasters: bool = False
    scripted: bool = False  # one fault at one gate, seed by seed; then pairs of them
    small: bool = False
    pinned: tuple[tuple[str, object], ...] = ()
    bend: "Callable[[Weather, Random], None] | None" = None


TD0 = Profile("td0", bundles=0.0, scripted=True, small=True)
TD1 = Profile("td1")
TD2 = Profile("td2", bundles=1.0)
TD3 = Profile("td3", clocks=True)
TD4 = Profile("td4", broken=True)
TD5 = Profile("td5", disasters=True)
TD6 = Profile("td6", bundles=0.0, scripted=True)
# Both of QuickBooks' own fences are down, as it may be: what is left must hold by itself, and a
# planted bug has nobody to hide behind.
BARE = Profile("bare", pinned=(("duplicate_warning", False), ("requestid_ttl_s", 0)))
PROFILES = {one.name: one for one in (TD0, TD1, TD2, TD3, TD4, TD5, TD6, BARE)}
STRIKES = ("crash", "pause", "long_pause", "nap", *FATES)
GATES_IN_SCOPE = 100
GATES_IN_SMALL = 64
SINGLES = GATES_IN_SCOPE * len(STRIKES)  # seeds of td6 from here on are pairs


@dataclass(slots=True)
class Weather:
    """What one seed drew."""

    processes: int = 1
    invoices: int = 2
    bundles: bool = False
    crash: float = 0.0  # per gate
    pause: float = 0.0
    nap: float = 0.0
    fate: float = 0.0  # per request
    fates: tuple[str, ...] = ()
    troubles: tuple[str, ...] = ()
    knobs: dict[str, object] = field(default_factory=dict)
    person_mis: bool = False
    person_qbo: bool = False
    ends_ms: int = 2 * HOUR
    clock_steps: bool = False
    restored_mis: bool = False
    restored_store: bool = False
    late_most_ms: int = 120_000
    small: bool = False
    script: dict[int, str] = field(default_factory=dict)  # gate, counted over all: its fault
    broken: bool = False
    trouble: float = 0.25  # per request
    diligent: bool = False  # every process sends whatever waits, again and again
    gates: tuple[str, ...] = ()  # where alone a process stops or dies; everywhere where empty
    aim: str = ""  # what alone is struck, such as `invoice`; everything where it is empty
    commits: bool = False  # the work is done although the answer goes wrong
    kinds: tuple[int, ...] = (80, 6, 5, 5, 4)  # shares: plain, invalid, stranger, taken, legacy
    closed: bool = False  # some rows fall into a period QuickBooks has closed
    reopened: bool = False  # in the end QuickBooks opens that period again
    deletes: bool = False  # whatever a person changes in QuickBooks is a deletion
    amounts: tuple[str, ...] = ("150000", "75000.50", "1200000", "0.01", "150000")


def drawn(profile: Profile, dice: Random, *, seed: int) -> Weather:
    """Return the weather of one seed."""
    if profile.scripted:
        return _scripted(seed, dice=dice, small=profile.small)
    weather = Weather(
        processes=dice.choices((1, 2, 3, 4), (50, 36, 9, 5))[0],
        invoices=dice.choices((1, 2, 3, 5), (50, 32, 14, 4))[0],
        bundles=dice.random() < profile.bundles,
        crash=dice.choice((0.0, 0.0, 0.01, 0.03, 0.08)),
        pause=dice.choice((0.0, 0.0, 0.01, 0.02)),
        nap=dice.choice((0.0, 0.0, 0.02)),
        fate=dice.choice((0.0, 0.1, 0.3, 0.6)),
        person_mis=dice.random() < 0.2,
        person_qbo=dice.random() < 0.15,
        ends_ms=dice.choice((10 * MINUTE, HOUR, 3 * HOUR)),
        clock_steps=profile.clocks,
        broken=profile.broken,
    )
    if weather.bundles:
        weather.invoices = max(weather.invoices, dice.choice((2, 3, 6)))
    weather.fates = tuple(dice.sample(FATES, dice.choice((1, 1, 2, 3))))
    pool = BUNDLE_TROUBLES if profile.bundles == 1.0 else TROUBLES
    weather.troubles = tuple(dice.sample(pool, dice.choice((0, 1, 1, 2))))
    weather.knobs = _knobs(dice, broken=profile.broken) | dict(profile.pinned)
    if profile.broken:
        weather.late_most_ms = dice.choice((120_000, 900_000))
    if profile.disasters:
        weather.restored_mis = dice.random() < 0.6
        weather.restored_store = not weather.restored_mis or dice.random() < 0.3
    if profile.bend is not None:
        profile.bend(weather, dice)
    return weather


def _scripted(seed: int, *, dice: Random, small: bool) -> Weather:
    """Return a still world of one invoice: one fault at one gate, or two and a trouble beside."""
    scope = GATES_IN_SMALL if small else GATES_IN_SCOPE
    troubles: tuple[str, ...] = ()
    if seed < scope * len(STRIKES):
        script = {1 + seed // len(STRIKES): STRIKES[seed % len(STRIKES)]}
    else:
        gates = dice.sample(range(1, scope + 1), 2)
        script = {gate: dice.choice(STRIKES) for gate in gates}
        troubles = (dice.choice(TROUBLES),) if small and dice.random() < 0.5 else ()
    return Weather(
        processes=1 if small else 2,
        invoices=1,
        knobs=_knobs(dice, broken=False),
        ends_ms=HOUR,
        script=script,
        troubles=troubles,
        small=small,
    )


def _knobs(dice: Random, *, broken: bool) -> dict[str, object]:
    lag = dice.choice((0, 0, 2, 60, 590))
    knobs: dict[str, object] = {
        "index_lag_s": [0, lag],
        "requestid_ttl_s": dice.choice((0, 600, 86_400, None)),
        "duplicate_warning": dice.random() < 0.5,
        "requestid_cache_faults": dice.random() < 0.3,
        "replay_deleted": dice.choice(("original", "create")),
        "batch_key": dice.choice(("item", "bundle", "none")),
        "batch_replay": dice.choice(("replay", "6000")),
        "batch_order": dice.choice(("request", "random")),
        "framing": dice.choice(("chunked", "length")),
        "gzip": dice.random() < 0.2,
        "refresh_rotation": dice.choice(("always", "daily")),
        "refresh_grace_s": dice.choice((0, 0, 3600)),
        "docnumber_scope": dice.choice(("type", "sales")),
        "throttle_body": dice.choice(("xml", "json")),
        "unauthorized_body": dice.choice(("xml", "json")),
        "retry_after": dice.choice((None, None, 5)),
        "auto_apply_credit": dice.random() < 0.1,
        "late_commit_s": dice.choice((None, 0)),
        "commit_then_refuse": "off",
    }
    if broken:
        knobs["index_lag_s"] = [0, dice.choice((0, 600, 900))]
        knobs["late_commit_s"] = dice.choice((None, 300, 900))
        knobs["commit_then_refuse"] = dice.choice(("off", "429", "6000"))
        knobs["number_not_kept"] = dice.random() < 0.15
    return knobs
