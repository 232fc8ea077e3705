"""Every setting: unit in the name, limits, and how settings must agree with each other."""

import os
import re
from datetime import date
from pathlib import Path
from typing import Annotated, Literal, Self
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
SERVER_CUT_S = 120
_ADDRESSES = (
    "quickbooks_api_url",
    "quickbooks_authorize_url",
    "quickbooks_token_url",
    "quickbooks_revoke_url",
)
_RATES_MOST = {
    "requests_per_second": 10,
    "requests_per_minute": 500,
    "batches_per_minute": 40,
    "in_flight_max": 10,
}
_HOST_NAME = re.compile(r"(?=.*[a-z])[a-z0-9-]+(\.[a-z0-9-]+)+")
_PLACEHOLDERS = ("change-me", "changeme", "your-", "<")


class SettingWrong(Exception):
    """A setting is missing or wrong; the caller shows both facts to a person.

    Args:
        setting: Name of the setting, or of the two that disagree.
        problem: What is wrong with it.
    """

    def __init__(self, *, setting: str, problem: str) -> None:
        super().__init__(setting, problem)
        self.setting = setting
        self.problem = problem


def _split(text: object) -> object:
    return (
        [part.strip() for part in text.split(",") if part.strip()]
        if isinstance(text, str)
        else text
    )


def _known_zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, OSError) as unknown:
        raise ValueError("no such zone; one is Africa/Kigali") from unknown  # noqa: EM101, TRY003 - as pydantic hears it
    return name


class Settings(BaseSettings):
    """What the environment or `.env` says; every field is upper case there."""

    model_config = SettingsConfigDict(
        env_file_encoding="utf-8", extra="ignore", hide_input_in_errors=True
    )

    feebridge_home: Path = Field(
        default=Path(), description="Folder of .env, logs and our own files."
    )
    mis_database_url: SecretStr | None = Field(
        default=None, description="The MIS database. Absent: the demo MIS."
    )
    store_database_url: SecretStr | None = Field(
        default=None, description="Our own database. Absent: a SQLite file."
    )
    engine_database_url: SecretStr | None = Field(
        default=None, description="The background engine's database. Absent: a SQLite file."
    )
    quickbooks_environment: Literal["simulator", "sandbox", "production"] = Field(
        default="simulator", description="simulator, sandbox or production."
    )
    quickbooks_client_id: str | None = Field(default=None, description="Key of the Intuit app.")
    quickbooks_client_secret: SecretStr | None = Field(
        default=None, description="Secret of the Intuit app."
    )
    quickbooks_redirect_uri: str = Field(
        default="http://localhost:5000/api/v1/quickbooks/callback",
        description="Exactly as registered at Intuit.",
    )
    quickbooks_api_url: str | None = Field(
        default=None, description="Another QuickBooks address; loopback only."
    )
    quickbooks_authorize_url: str | None = Field(
        default=None, description="Another sign-in address; loopback only."
    )
    quickbooks_token_url: str | None = Field(
        default=None, description="Another token address; loopback only."
    )
    quickbooks_revoke_url: str | None = Field(
        default=None, description="Another revocation address; loopback only."
    )
    encryption_keys: Annotated[list[SecretStr], NoDecode, BeforeValidator(_split)] = Field(
        default_factory=list, description="Keys for the tokens at rest, newest first, by commas."
    )
    host: str = Field(default="127.0.0.1", description="Address the server listens on.")
    port: int = Field(default=5000, ge=0, le=65535, description="Port the server listens on.")
    batch_size: int = Field(default=50, ge=1, le=100, description="Invoices in a batch.")
    max_retries: int = Field(
        default=3, ge=1, le=10, description="Attempts on a refusal that passes."
    )
    retry_delay_s: int = Field(default=5, ge=1, le=600, description="Seconds between attempts.")
    requests_per_second: int = Field(default=10, ge=1, description="Requests in one second.")
    requests_per_minute: int = Field(default=500, ge=2, description="Requests in one minute.")
    batches_per_minute: int = Field(default=40, ge=1, description="Bundles in one minute.")
    reads_per_month: int = Field(
        default=500_000, ge=1, description="Reads Intuit grants in a month; those of your tier."
    )
    in_flight_max: int = Field(default=10, ge=1, le=10, description="Requests at the same time.")
    read_timeout_s: int = Field(default=130, ge=1, description="Longest wait for an answer.")
    lease_s: int = Field(default=300, ge=1, description="Life of the sender's lease.")
    index_lag_s: int = Field(
        default=600, ge=1, description="How late QuickBooks' search may find a new invoice."
    )
    clock_scale: int = Field(
        default=1, ge=1, le=1000, description="Waits and rates run this many times faster."
    )
    amount_rule: Literal["debit", "net"] = Field(
        default="debit", description="debit sends `dept`; net sends `dept - credit`."
    )
    item_policy: Literal["match", "create", "default"] = Field(
        default="match", description="match, create or default product for a fee."
    )
    item_income_account: str | None = Field(
        default=None, description="Income account for products that are created."
    )
    item_default: str | None = Field(
        default=None, description="Product that takes every fee without one of its own."
    )
    invoices_from: date | None = Field(
        default=None, description="Rows dated before this day are left alone."
    )
    time_zone: Annotated[str, AfterValidator(_known_zone)] = Field(
        default="Africa/Kigali", description="Office time for people."
    )
    log_dir: Path = Field(default=Path("logs"), description="Folder of app.log.")

    connect_timeout_s: int = Field(default=10, ge=1, description="Longest wait to connect.")
    check_to_send_s: int = Field(
        default=5, ge=1, description="From the written attempt to the last byte sent."
    )
    server_max_s: int = Field(
        default=120, ge=1, description="Longest time QuickBooks works on a request."
    )
    heartbeat_s: int = Field(default=60, ge=1, description="How often the lease is renewed.")
    sends_max: int = Field(default=5, ge=1, description="Sends of one frozen body.")
    throttle_pause_s: int = Field(default=60, ge=1, description="Pause after a 429.")
    breaker_after: int = Field(
        default=5, ge=1, description="Requests lost in a row before we hold back."
    )
    breaker_min_s: int = Field(default=60, ge=1, description="First wait of the breaker.")
    breaker_max_s: int = Field(default=600, ge=1, description="Longest wait of the breaker.")
    token_early_s: int = Field(
        default=300, ge=1, description="Renew the sign-in this long before it ends."
    )
    refresh_timeout_s: int = Field(default=30, ge=1, description="Longest renewal call.")
    refresh_lock_s: int = Field(default=60, ge=1, description="Life of the renewal's lock.")
    idle_connection_s: int = Field(default=15, ge=1, description="Longest idle reuse.")
    mis_lock_wait_s: int = Field(default=5, ge=1, description="Longest wait for a MIS row lock.")
    mis_patience_s: int = Field(
        default=60, ge=1, description="How long a run waits for a MIS that went away."
    )

    @classmethod
    def load(cls, *, checkout: Path, **overrides: object) -> Self:
        """Return the settings of this process.

        Args:
            checkout: Where `.env` and relative folders are looked for, unless FEEBRIDGE_HOME
                names another folder.
            overrides: Values that win over the environment, by field.

        Raises:
            SettingWrong: A value is not allowed or two values disagree; exit 9.
        """
        home = Path(os.environ.get("FEEBRIDGE_HOME") or checkout)  # noqa: TID251 - the one reader
        try:
            settings = cls(
                _env_file=home / ".env",  # type: ignore[call-arg]  # pydantic-settings' own
                feebridge_home=home,
                **overrides,  # type: ignore[arg-type]  # pydantic checks each value
            )
        except ValidationError as wrong:
            first = wrong.errors()[0]
            raise SettingWrong(
                setting=str(first["loc"][0]).upper(), problem=str(first["msg"])
            ) from None
        settings._agree()
        return settings

    def mis_address(self, file: Path) -> str:
        """Return where the MIS is, this file where none is named; it may hold a password."""
        url = self.mis_database_url
        return url.get_secret_value() if url else f"sqlite:///{file}"

    def store_address(self, file: Path) -> str:
        """Return where our own database is, likewise."""
        url = self.store_database_url
        return url.get_secret_value() if url else f"sqlite:///{file}"

    @property
    def grace_s(self) -> int:
        """Seconds after a send from which "not found" may be believed."""
        return self.check_to_send_s + self.server_max_s + self.index_lag_s

    @property
    def quickbooks_is_loopback(self) -> bool:
        """Whether every request for QuickBooks stays on this machine."""
        if self.quickbooks_environment != "simulator":
            return False
        return all(
            urlsplit(address).hostname in LOOPBACK
            for name in _ADDRESSES
            if (address := getattr(self, name)) is not None
        )

    def _agree(self) -> None:
        for holds, setting, problem in self._agreements():
            if not holds:
                raise SettingWrong(setting=setting, problem=problem)
        self._check_addresses()
        self._check_redirect()
        self._check_keys()

    def _agreements(self) -> list[tuple[bool, str, str]]:
        rows = [
            (
                self.read_timeout_s > self.server_max_s,
                "READ_TIMEOUT_S, SERVER_MAX_S",
                "the read time-out must be longer than QuickBooks works on a request",
            ),
            (
                self.lease_s >= self.read_timeout_s + self.check_to_send_s + 2 * self.heartbeat_s,
                "LEASE_S, READ_TIMEOUT_S",
                "the lease must outlast a read, a send and two heartbeats",
            ),
            (
                self.heartbeat_s * 4 <= self.lease_s,
                "HEARTBEAT_S, LEASE_S",
                "the heartbeat must fit four times into the lease",
            ),
            (
                self.check_to_send_s <= self.heartbeat_s,
                "CHECK_TO_SEND_S, HEARTBEAT_S",
                "a send must be written within one heartbeat",
            ),
            *self._sign_in_agreements(),
            *self._engine_agreements(),
            (
                self.batches_per_minute < self.requests_per_minute,
                "BATCHES_PER_MINUTE, REQUESTS_PER_MINUTE",
                "bundles are requests too and must leave room for others",
            ),
            (
                self.clock_scale == 1 or self.quickbooks_is_loopback,
                "CLOCK_SCALE",
                "only a QuickBooks on this machine may run faster than real time",
            ),
        ]
        return rows if self.quickbooks_is_loopback else rows + self._real_limits()

    def _engine_agreements(self) -> list[tuple[bool, str, str]]:
        engine, store = (
            url.get_secret_value().partition(":")[0].partition("+")[0] if url else "sqlite"
            for url in (self.engine_database_url, self.store_database_url)
        )
        servers = {"postgres", "postgresql"}
        return [
            (
                engine in {"sqlite", *servers},
                "ENGINE_DATABASE_URL",
                "must be an address of SQLite or PostgreSQL",
            ),
            (
                engine == "sqlite" or store in servers,
                "ENGINE_DATABASE_URL, STORE_DATABASE_URL",
                "an engine that several machines share needs a store they share: PostgreSQL too",
            ),
        ]

    def _sign_in_agreements(self) -> list[tuple[bool, str, str]]:
        return [
            (
                self.token_early_s >= self.read_timeout_s + self.check_to_send_s,
                "TOKEN_EARLY_S, READ_TIMEOUT_S",
                "a sign-in must outlast the request it is used for",
            ),
            (
                self.refresh_lock_s
                >= self.refresh_timeout_s + self.connect_timeout_s + self.check_to_send_s,
                "REFRESH_LOCK_S, REFRESH_TIMEOUT_S",
                "the renewal's lock must outlast the renewal",
            ),
        ]

    def _real_limits(self) -> list[tuple[bool, str, str]]:
        rows = [
            (self.server_max_s >= SERVER_CUT_S, "SERVER_MAX_S", "QuickBooks may work for 120 s"),
            (self.index_lag_s >= 60, "INDEX_LAG_S", "must be 60 or more"),  # noqa: PLR2004 - protocol's floor
            (self.throttle_pause_s >= 60, "THROTTLE_PAUSE_S", "must be 60 or more"),  # noqa: PLR2004 - Intuit's advice
        ]
        return rows + [
            (getattr(self, name) <= most, name.upper(), f"QuickBooks allows {most}")
            for name, most in _RATES_MOST.items()
        ]

    def _check_addresses(self) -> None:
        for name in _ADDRESSES:
            address = getattr(self, name)
            if address is not None and urlsplit(address).hostname not in LOOPBACK:
                raise SettingWrong(
                    setting=name.upper(),
                    problem="another address is accepted for loopback only",
                )

    def _check_redirect(self) -> None:
        where = urlsplit(self.quickbooks_redirect_uri)
        host = where.hostname or ""
        named = where.scheme == "https" and _HOST_NAME.fullmatch(host) is not None
        local = where.scheme in {"http", "https"} and host in LOOPBACK
        live = self.quickbooks_environment == "production"
        if not (named or (local and not live)):
            problem = "must be https with a host name"
            raise SettingWrong(
                setting="QUICKBOOKS_REDIRECT_URI",
                problem=problem if live else f"{problem}, or http://localhost",
            )

    def _check_keys(self) -> None:
        for name in ("quickbooks_client_id", "quickbooks_client_secret", "mis_database_url"):
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, SecretStr) else value or ""
            if any(mark in text.lower() for mark in _PLACEHOLDERS):
                raise SettingWrong(setting=name.upper(), problem="still holds its placeholder")
        if self.quickbooks_environment == "simulator":
            return
        needed = {
            "MIS_DATABASE_URL": self.mis_database_url,
            "QUICKBOOKS_CLIENT_ID": self.quickbooks_client_id,
            "QUICKBOOKS_CLIENT_SECRET": self.quickbooks_client_secret,
            "ENCRYPTION_KEYS": self.encryption_keys or None,
        }
        for setting, value in needed.items():
            if value is None:
                raise SettingWrong(
                    setting=setting,
                    problem=f"is needed when QUICKBOOKS_ENVIRONMENT is "
                    f"{self.quickbooks_environment}",
                )
