"""Sign-ins at rest: sealed with their context, renewed by one process at a time."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from application.catalogue import ConfigInvalid
from application.invoices.model import Environment, Realm
from application.store.schema import tokens as table
from application.store.sign_ins import Gone
from application.store.tokens import RefreshLost, Tokens, TokenSet, new_key
from tests.rooms.store_support import (
    KEY,
    KINDS,
    LIVE,
    REALM,
    UWASE,
    Rooms,
    raw_engine,
    rooms_on,
    worn_address_on,
)

ACCESS = "access-canary"
REFRESH = "refresh-canary"
LOCK_MS = 60_000
RACER = """
import sys
from pathlib import Path
from application.invoices.model import Environment
from tests.rooms.store_support import rooms_on

with rooms_on(sys.argv[1], locks=Path(sys.argv[2])) as rooms:
    tokens = rooms.tokens()
    held = tokens.load(Environment.SIMULATOR)
    print("ready", flush=True)
    sys.stdin.readline()
    print(tokens.begin_refresh(held, lock_ms=60_000) is not None, flush=True)
"""


@pytest.fixture(params=KINDS)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return worn_address_on(request.param, request=request, tmp_path=tmp_path)


@pytest.fixture
def rooms(url: str, tmp_path: Path) -> Iterator[Rooms]:
    with rooms_on(url, locks=tmp_path / "locks") as opened:
        yield opened


@pytest.fixture
def tokens(rooms: Rooms) -> Tokens:
    return rooms.tokens()


def signed_in(rooms: Rooms, *, realm: Realm = REALM, marked: str = "") -> TokenSet:
    now = rooms.store.now()
    return TokenSet(
        realm=realm,
        access_token=ACCESS + marked,
        access_until=now + timedelta(hours=1),
        refresh_token=REFRESH + marked,
        refresh_until=now + timedelta(days=100),
        connected_by="uwase",
        connected_at=now,
        company_name="Demo University",
    )


class TestSignIn:
    def test_is_nothing_before_somebody_connects(self, tokens: Tokens) -> None:
        assert tokens.load(Environment.SIMULATOR) is None

    def test_comes_back_as_it_was_saved(self, rooms: Rooms, tokens: Tokens) -> None:
        fresh = signed_in(rooms)

        kept = tokens.save(fresh, by=UWASE)

        assert tokens.load(Environment.SIMULATOR) == kept
        assert kept == replace(fresh, version=kept.version, changed_at=kept.changed_at)
        assert tokens.load(Environment.PRODUCTION) is None

    def test_shows_its_secrets_nowhere(self, rooms: Rooms, tokens: Tokens, url: str) -> None:
        kept = tokens.save(signed_in(rooms), by=UWASE)

        with raw_engine(url).connect() as connection:
            rows = repr(connection.execute(table.select()).all())

        shown = rows + repr(kept) + str(kept) + repr(rooms.audit.entries())
        assert "canary" not in shown
        assert REALM.company_id not in shown

    def test_of_two_environments_stand_side_by_side(self, rooms: Rooms, tokens: Tokens) -> None:
        toy = tokens.save(signed_in(rooms), by=UWASE)
        real = tokens.save(signed_in(rooms, realm=LIVE), by=UWASE)

        assert toy.version != real.version
        assert tokens.load(Environment.SIMULATOR) == toy
        assert tokens.load(Environment.PRODUCTION) == real

    def test_that_is_forgotten_is_wiped_and_its_version_never_returns(
        self, rooms: Rooms, tokens: Tokens, url: str
    ) -> None:
        first = tokens.save(signed_in(rooms), by=UWASE)

        tokens.forget(Environment.SIMULATOR, by=UWASE)

        assert tokens.load(Environment.SIMULATOR) is None
        with raw_engine(url).connect() as connection:
            [row] = connection.execute(table.select())
            assert (row.sealed, row.sealed_before) == (None, None)
        assert tokens.save(signed_in(rooms), by=UWASE).version > first.version

    def test_takes_the_companys_name(self, rooms: Rooms, tokens: Tokens) -> None:
        tokens.save(signed_in(rooms), by=UWASE)

        tokens.name_company(Environment.SIMULATOR, "New Name")

        kept = tokens.load(Environment.SIMULATOR)
        assert kept is not None
        assert kept.company_name == "New Name"


class TestSeal:
    @pytest.mark.parametrize("keys", [(new_key(),), (new_key(), new_key())])
    def test_does_not_open_under_another_key(
        self, rooms: Rooms, tokens: Tokens, keys: tuple[str, ...]
    ) -> None:
        tokens.save(signed_in(rooms), by=UWASE)

        with pytest.raises(ConfigInvalid) as caught:
            rooms.tokens(*keys).load(Environment.SIMULATOR)

        assert caught.value.facts["setting"] == "ENCRYPTION_KEYS"

    @pytest.mark.parametrize("key", ["short", "", "é" * 44])
    def test_refuses_what_is_no_key(self, rooms: Rooms, key: str) -> None:
        with pytest.raises(ConfigInvalid):
            rooms.tokens(key)

    def test_breaks_when_a_character_is_changed(
        self, rooms: Rooms, tokens: Tokens, url: str
    ) -> None:
        tokens.save(signed_in(rooms), by=UWASE)
        sealed = sealed_in(url)
        put(url, sealed[:60] + ("A" if sealed[60] != "A" else "B") + sealed[61:])

        with pytest.raises(ConfigInvalid):
            tokens.load(Environment.SIMULATOR)

    def test_does_not_fit_another_row(self, rooms: Rooms, tokens: Tokens, url: str) -> None:
        tokens.save(signed_in(rooms), by=UWASE)
        stolen = sealed_in(url)
        tokens.save(signed_in(rooms, realm=LIVE), by=UWASE)
        put(url, stolen, environment="production")

        with pytest.raises(ConfigInvalid):
            tokens.load(Environment.PRODUCTION)

    def test_of_an_older_version_does_not_fit(self, rooms: Rooms, tokens: Tokens, url: str) -> None:
        tokens.save(signed_in(rooms), by=UWASE)
        old = sealed_in(url)
        tokens.save(signed_in(rooms), by=UWASE)
        put(url, old)

        with pytest.raises(ConfigInvalid):
            tokens.load(Environment.SIMULATOR)

    def test_moves_to_the_first_key(self, rooms: Rooms, tokens: Tokens) -> None:
        kept = tokens.save(signed_in(rooms), by=UWASE)
        newer = new_key()

        assert rooms.tokens(newer, KEY).rotate(by=UWASE) == 1

        assert rooms.tokens(newer).load(Environment.SIMULATOR) == kept
        with pytest.raises(ConfigInvalid):
            tokens.load(Environment.SIMULATOR)

    def test_says_while_an_older_key_is_still_in_use(self, rooms: Rooms, tokens: Tokens) -> None:
        assert not tokens.needs_rotation()
        tokens.save(signed_in(rooms), by=UWASE)
        both = rooms.tokens(new_key(), KEY)

        before = (tokens.needs_rotation(), both.needs_rotation())
        both.rotate(by=UWASE)

        assert before == (False, True)
        assert not both.needs_rotation()

    def test_counts_what_was_kept_of_the_sign_in_before(self, rooms: Rooms, tokens: Tokens) -> None:
        tokens.save(signed_in(rooms), by=UWASE)
        both = rooms.tokens(new_key(), KEY)

        both.save(signed_in(rooms), by=UWASE)  # the older one stays beside it, under the old key

        assert both.needs_rotation()

    def test_moves_verifiers_of_sign_ins_that_wait(
        self, rooms: Rooms, tokens: Tokens, url: str
    ) -> None:
        now = rooms.store.now()
        until = now + timedelta(minutes=10)
        tokens.sign_ins.note("canary-state", by=UWASE, until=until, verifier="canary-verifier")
        newer = new_key()
        both = rooms.tokens(newer, KEY)
        assert both.needs_rotation()

        both.rotate(by=UWASE)

        found = rooms.tokens(newer).sign_ins.look("canary-state", now=now)
        assert not isinstance(found, Gone)
        assert found.verifier == "canary-verifier"
        with raw_engine(url).connect() as connection:
            assert "canary" not in repr(connection.execute(text("SELECT * FROM sign_ins")).all())


def sealed_in(url: str) -> str:
    with raw_engine(url).connect() as connection:
        found = connection.execute(
            text("SELECT sealed FROM tokens WHERE environment = 'simulator'")
        ).scalar_one()
    return str(found)


def put(url: str, sealed: str, *, environment: str = "simulator") -> None:
    with raw_engine(url).connect() as connection:
        connection.execute(
            table.update().where(table.c.environment == environment).values(sealed=sealed)
        )


class TestRenewal:
    def test_is_one_processs_until_it_ends(self, rooms: Rooms, tokens: Tokens) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)

        until = tokens.begin_refresh(held, lock_ms=LOCK_MS)
        assert until is not None
        assert tokens.begin_refresh(held, lock_ms=LOCK_MS) is None
        assert tokens.fail_refresh(held, until=until, reason="no answer", broken=False)
        assert tokens.begin_refresh(held, lock_ms=LOCK_MS)

    def test_is_held_for_as_long_again_before_the_old_token_leaves(
        self, rooms: Rooms, tokens: Tokens
    ) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        until = tokens.begin_refresh(held, lock_ms=LOCK_MS)
        assert until is not None

        kept = tokens.keep_refresh(held, until=until, lock_ms=2 * LOCK_MS)

        assert kept >= until + timedelta(milliseconds=LOCK_MS)
        assert tokens.begin_refresh(held, lock_ms=LOCK_MS) is None

    @pytest.mark.covers("D1")
    def test_that_was_taken_over_sends_nothing_and_spoils_nothing(
        self, rooms: Rooms, tokens: Tokens
    ) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        slept = tokens.begin_refresh(held, lock_ms=-1)
        awake = tokens.begin_refresh(held, lock_ms=LOCK_MS)
        assert slept is not None
        assert awake is not None

        with pytest.raises(RefreshLost):
            tokens.keep_refresh(held, until=slept, lock_ms=LOCK_MS)
        late = tokens.fail_refresh(held, until=slept, reason="invalid_grant", broken=True)

        assert late is False
        assert tokens.load(Environment.SIMULATOR) == held
        assert tokens.keep_refresh(held, until=awake, lock_ms=LOCK_MS) >= awake

    @pytest.mark.parametrize("change", ["forgotten", "connected anew"])
    def test_of_what_is_gone_sends_nothing(self, rooms: Rooms, tokens: Tokens, change: str) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        until = tokens.begin_refresh(held, lock_ms=LOCK_MS)
        assert until is not None
        if change == "forgotten":
            tokens.forget(Environment.SIMULATOR, by=UWASE)
        else:
            tokens.save(signed_in(rooms), by=UWASE)

        with pytest.raises(RefreshLost):
            tokens.keep_refresh(held, until=until, lock_ms=LOCK_MS)

    def test_that_hangs_is_taken_over_when_its_time_is_over(
        self, rooms: Rooms, tokens: Tokens
    ) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        assert tokens.begin_refresh(held, lock_ms=-1)

        assert tokens.begin_refresh(held, lock_ms=LOCK_MS)

    def test_stores_the_new_tokens_and_keeps_who_connected(
        self, rooms: Rooms, tokens: Tokens
    ) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        tokens.begin_refresh(held, lock_ms=LOCK_MS)
        answer = replace(signed_in(rooms, marked="-2"), connected_by="renewer", company_name="")

        kept = tokens.finish_refresh(held, tokens=answer)

        assert kept is not None
        assert tokens.load(Environment.SIMULATOR) == kept
        assert kept.access_token == ACCESS + "-2"
        assert (kept.connected_by, kept.company_name) == ("uwase", "Demo University")
        assert kept.version > held.version
        assert tokens.begin_refresh(kept, lock_ms=LOCK_MS)
        assert not tokens.begin_refresh(held, lock_ms=LOCK_MS)

    def test_that_comes_too_late_leaves_the_newer_sign_in(
        self, rooms: Rooms, tokens: Tokens
    ) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        tokens.begin_refresh(held, lock_ms=LOCK_MS)
        newer = tokens.save(signed_in(rooms, marked="-new"), by=UWASE)

        assert tokens.finish_refresh(held, tokens=signed_in(rooms, marked="-late")) == newer
        assert tokens.load(Environment.SIMULATOR) == newer

    def test_refused_for_good_waits_for_a_person(self, rooms: Rooms, tokens: Tokens) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        until = tokens.begin_refresh(held, lock_ms=LOCK_MS)
        assert until is not None

        tokens.fail_refresh(held, until=until, reason="invalid_grant", broken=True)

        kept = tokens.load(Environment.SIMULATOR)
        assert kept is not None
        assert (kept.state, kept.reason) == ("broken", "invalid_grant")
        assert not tokens.begin_refresh(kept, lock_ms=LOCK_MS)
        assert tokens.save(signed_in(rooms), by=UWASE).state == "connected"

    def test_of_a_sign_in_that_was_forgotten_is_nobodys(self, rooms: Rooms, tokens: Tokens) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        tokens.forget(Environment.SIMULATOR, by=UWASE)

        assert not tokens.begin_refresh(held, lock_ms=LOCK_MS)

    def test_that_ends_after_a_disconnection_keeps_nothing(
        self, rooms: Rooms, tokens: Tokens
    ) -> None:
        held = tokens.save(signed_in(rooms), by=UWASE)
        tokens.begin_refresh(held, lock_ms=LOCK_MS)
        assert tokens.forget(Environment.SIMULATOR, by=UWASE)

        assert tokens.finish_refresh(held, tokens=signed_in(rooms, marked="-late")) is None
        assert tokens.load(Environment.SIMULATOR) is None
        assert not tokens.forget(Environment.SIMULATOR, by=UWASE)

    @pytest.mark.covers("D1")
    def test_raced_for_by_six_processes_has_one_winner(
        self, rooms: Rooms, tokens: Tokens, url: str, tmp_path: Path
    ) -> None:
        tokens.save(signed_in(rooms), by=UWASE)
        racers = [
            subprocess.Popen(  # noqa: S603 - this Python, a program of this file
                [sys.executable, "-c", RACER, url, str(tmp_path / "locks")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(6)
        ]
        for one in racers:
            assert one.stdout is not None
            assert one.stdout.readline() == "ready\n"

        for one in racers:
            assert one.stdin is not None
            one.stdin.write("go\n")
            one.stdin.flush()
        said = [one.communicate(timeout=30)[0].strip() for one in racers]

        assert sorted(said) == ["False"] * 5 + ["True"]
