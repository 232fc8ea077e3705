"""The shape of what doors need: keys, people, repeated requests, events, slices, schedule."""

from typing import Final

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text

from application.store.columns import Instant, Json
from application.store.schema import BIG, SERVER, SHA, tables

NAME: Final = String(120)

api_keys = Table(  # the key itself is shown once and kept nowhere
    "api_keys",
    tables,
    Column("id", BIG, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("role", String(12), nullable=False),
    Column("secret_sha256", SHA, nullable=False),
    Column("made_by", NAME, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("used_at", Instant),
    Column("revoked_by", NAME),
    Column("revoked_at", Instant),
    **SERVER,
)
people = Table(
    "people",
    tables,
    Column("id", BIG, primary_key=True),
    Column("name", NAME, nullable=False),
    Column("known_as", NAME, unique=True),  # in small letters; NULL once removed: the name is free
    Column("role", String(12), nullable=False),
    Column("password", String(200), nullable=False),  # salt and hash, with what they cost
    Column("made_by", NAME, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("signed_in_at", Instant),
    Column("removed_by", NAME),
    Column("removed_at", Instant),
    **SERVER,
)
sessions = Table(  # one a browser that is signed in; its secret is in the browser alone
    "sessions",
    tables,
    Column("secret_sha256", SHA, primary_key=True),
    Column("person_id", BigInteger, nullable=False),
    Column("made_at", Instant, nullable=False),
    Column("seen_at", Instant, nullable=False),
    Index("sessions_person", "person_id"),
    **SERVER,
)
repeats = Table(  # requests with an Idempotency-Key, and what was answered
    "repeats",
    tables,
    Column("id", BIG, primary_key=True),
    Column("request_sha256", SHA, nullable=False, unique=True),  # of actor, method, path and key
    Column("body_sha256", SHA, nullable=False),
    Column("holder", NAME, nullable=False),  # the server's start that took it in
    Column("run_id", BigInteger),
    Column("status", Integer),  # NULL while nothing has been answered
    Column("answer", Text),
    Column("made_at", Instant, nullable=False),
    Index("repeats_made", "made_at"),
    **SERVER,
)
run_events = Table(  # what a live view shows; derived, so outside the audit's chain
    "run_events",
    tables,
    Column("id", BIG, primary_key=True),
    Column("run_id", BigInteger, nullable=False),
    Column("event", String(40), nullable=False),
    Column("content", Json, nullable=False),
    Column("at", Instant, nullable=False),
    Index("run_events_run", "run_id", "id"),
    sqlite_autoincrement=True,  # an id that was seen never comes back
    **SERVER,
)
slices = Table(  # the parts a run is done in; what was counted when each one began
    "slices",
    tables,
    Column("run_id", BigInteger, primary_key=True, autoincrement=False),
    Column("number", Integer, primary_key=True, autoincrement=False),
    Column("opened_at", Instant, nullable=False),
    Column("closed_at", Instant),
    Column("phase", String(8), nullable=False),
    Column("cursor", BigInteger, nullable=False),  # every id of its phase up to here has been met
    Column("successful", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
    Column("unsettled", BigInteger, nullable=False),
    **SERVER,
)
schedules = Table(  # one row, once somebody has set it
    "schedules",
    tables,
    Column("one", Integer, primary_key=True, autoincrement=False),
    Column("enabled", Boolean, nullable=False),
    Column("cron", String(120), nullable=False),
    Column("window_from", String(5)),  # HH:MM of the office; NULL: no window
    Column("window_to", String(5)),
    Column("batch_size", Integer),
    Column("max_batches", Integer),  # a night's limit
    Column("changed_by", NAME, nullable=False),
    Column("changed_at", Instant, nullable=False),
    Column("ticked_at", Instant),  # the last start that was taken care of
    **SERVER,
)
