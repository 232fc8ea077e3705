"""What an installation is before anything is built: its folders, settings and waits; its demo."""

import json
from pathlib import Path

from application.catalogue import ConfigInvalid
from application.embedded import DEMO_SCALE, Place, refuse_if_shared
from application.settings import LOOPBACK, Settings, SettingWrong
from application.world import Clock, Waits

DEMO_SIZE = 1_000
SETTLE_LOOKS_S = (0, 15, 60, 240)
REPLAY_AGE_S = 60
THROTTLE_MOST_S = 600
UNREACHABLE_S = 60


def home() -> Path:
    """Return the folder that relative paths count from: the checkout, else where we were started.

    A scheduled command must find the same `.env` whatever folder the scheduler starts it in.
    """
    checkout = Path(__file__).resolve().parents[1]
    return checkout if (checkout / "pyproject.toml").exists() else Path.cwd()


def load_settings(**overrides: object) -> Settings:
    """Return the settings of the environment and of `.env`.

    Raises:
        ConfigInvalid: One is missing or wrong, or others can read `.env`.
    """
    try:
        settings = Settings.load(checkout=home(), **overrides)
    except SettingWrong as wrong:
        raise ConfigInvalid(setting=wrong.setting, problem=wrong.problem) from None
    refuse_if_shared(settings.feebridge_home / ".env")
    return settings


def place_of(settings: Settings) -> Place:
    """Return where this installation keeps its own files."""
    demo = settings.mis_database_url is None
    return Place(folder=settings.feebridge_home / ("demo" if demo else "var"), demo=demo)


def clock_scale_of(settings: Settings) -> int:
    """Return how many times faster waits run: the demo's own pace unless one was asked for."""
    if place_of(settings).demo and "clock_scale" not in settings.model_fields_set:
        return DEMO_SCALE
    return settings.clock_scale


def demo_settings() -> Settings:
    """Return settings under which everything runs on this machine, whatever `.env` says."""
    return load_settings(
        mis_database_url=None,
        store_database_url=None,
        quickbooks_environment="simulator",
        quickbooks_api_url=None,
        quickbooks_authorize_url=None,
        quickbooks_token_url=None,
        quickbooks_revoke_url=None,
        encryption_keys=[],
    )


def make_demo_mis(
    url: str,
    *,
    profile: str = "guide",
    size: int | None = None,
    edge: bool = False,
    seed: int = 1,
    replace: bool = False,
    place: Place | None = None,
) -> int:
    """Build a synthetic MIS and what the simulator holds beside it; return its invoices.

    Args:
        url: Where; a SQLite file or a MariaDB database.
        profile: `guide`, `fresh` or `midlife`.
        size: Invoices of the last two.
        edge: Add the must-have rows.
        seed: Which university.
        replace: Drop what a former build left.
        place: Whose simulator it is for; the configured installation's when absent.

    Raises:
        Stop: The database is not ours to fill, or does not answer.
    """
    beside = place or Place(folder=home_of_files() / "var", demo=False)
    count = size or DEMO_SIZE
    from application.mis import demo  # noqa: PLC0415 - only who builds a MIS pays for it

    built = demo.build(url, profile=profile, size=count, edge=edge, seed=seed, replace=replace)
    beside.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with beside.seed_file.open("w", encoding="utf-8") as out:
        for line in demo.seed_lines(profile=profile, size=count, edge=edge, seed=seed):
            out.write(json.dumps(line) + "\n")
    return built.invoices


def home_of_files() -> Path:
    """Return the folder this installation keeps its files in."""
    return load_settings().feebridge_home


def reachable_from_elsewhere(settings: Settings) -> bool:
    """Return whether other machines can open our pages."""
    return settings.host not in LOOPBACK


def waits_of(settings: Settings, *, clock: Clock) -> Waits:
    """Return every wait in real milliseconds."""
    ms = clock.scaled_ms
    return Waits(
        grace_ms=ms(settings.grace_s),
        lease_ms=ms(settings.lease_s),
        heartbeat_ms=ms(settings.heartbeat_s),
        retry_delay_ms=ms(settings.retry_delay_s),
        throttle_pause_ms=ms(settings.throttle_pause_s),
        throttle_most_ms=ms(THROTTLE_MOST_S),
        token_early_ms=ms(settings.token_early_s),
        refresh_lock_ms=ms(settings.refresh_lock_s),
        mis_patience_ms=settings.mis_patience_s * 1000,
        unreachable_ms=ms(UNREACHABLE_S),
        settle_looks_ms=tuple(ms(one) for one in SETTLE_LOOKS_S),
        replay_age_ms=ms(REPLAY_AGE_S),
    )
