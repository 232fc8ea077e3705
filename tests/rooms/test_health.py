"""Health looks at everything but QuickBooks, and what it cannot see is never called well."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from application import wiring
from application.catalogue import StoreUnavailable
from application.logs import Logs
from application.services.checks import Check
from application.services.health import FREE_BYTES_LEAST, Health, free_bytes
from application.store.anchors import Anchors
from application.store.audit import GENESIS, Entry
from application.store.tokens import TokenSet
from application.world import World
from tests.rooms.store_support import REALM, JumpingClock

DAYS_MS = 86_400_000


class Place:
    """A demo installation, and Health over its rooms."""

    def __init__(self, services: wiring.Services, clock: JumpingClock) -> None:
        self.services = services
        self.clock = clock
        self.logs = services.logs
        self.anchors = Anchors(
            services.settings.feebridge_home / "logs",
            audit=services.audit,
            world=services.world,
            logs=self.logs,
        )

    def connect(self) -> None:
        """Sign in without asking anybody."""
        now = self.clock.now()
        sign_in = TokenSet(
            realm=REALM,
            access_token="access",  # noqa: S106 - of nobody
            access_until=now + timedelta(hours=1),
            refresh_token="refresh",  # noqa: S106 - of nobody
            refresh_until=now + timedelta(days=100),
            connected_by="local",
            connected_at=now,
            company_name="Demo University",
        )
        self.services.tokens.save(sign_in, by=self.services.actor("cli"))

    def health(
        self,
        *,
        engine: Callable[[], Check] | None = None,
        free: Callable[[Path], int] = free_bytes,
        logs: Logs | None = None,
    ) -> Health:
        rooms = self.services
        return Health(
            reader=rooms.reader,
            progress=rooms.progress,
            store=rooms.store,
            runs=rooms.runs,
            audit=rooms.audit,
            anchors=self.anchors,
            company=rooms.company,
            logs=logs or self.logs,
            clock=self.clock,
            engine=engine,
            free=free,
        )


@contextmanager
def place_in(folder: Path) -> Iterator[Place]:
    with pytest.MonkeyPatch.context() as patch, ExitStack() as things:
        patch.setenv("FEEBRIDGE_HOME", str(folder))
        clock = JumpingClock()
        services = things.enter_context(wiring.build(world=World(clock=clock)))
        yield Place(services, clock)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    with place_in(tmp_path) as opened:
        yield opened


def named(checks: list[Check], name: str) -> Check:
    return next(one for one in checks if one.name == name)


class TestChecks:
    def test_of_a_fresh_installation_lack_the_sign_in_only(self, place: Place) -> None:
        checks = place.health().checks()

        failed = [one for one in checks if one.result == "fail"]
        assert [(one.name, one.cause) for one in failed] == [
            ("QuickBooks", "authentication_failed")
        ]
        assert failed[0].remedy
        names = {one.name for one in checks}
        assert {"Store", "Audit log", "Disk", "Log"} <= names
        assert any("tbl_imvoice" in one.name + one.text for one in checks)

    def test_tell_the_connection_as_last_known(self, place: Place) -> None:
        place.connect()

        told = named(place.health().checks(), "QuickBooks")

        assert told.result == "ok"
        assert told.text == "connected to Demo University (SIMULATOR), as last known"

    def test_send_no_request(self, place: Place) -> None:
        place.connect()

        place.health().checks()
        place.health().figures()

        assert not place.services.place.simulator_file.exists()

    def test_warn_before_the_sign_in_ends(self, place: Place) -> None:
        place.connect()
        place.clock.wall_ms += 96 * DAYS_MS

        told = named(place.health().checks(), "QuickBooks")

        assert (told.result, "the sign-in ends on" in told.text) == ("warn", True)

    def test_warn_of_a_disk_that_is_nearly_full(self, place: Place) -> None:
        def free(left: int) -> Callable[[Path], int]:
            return lambda _folder: left

        results = [
            named(place.health(free=free(left)).checks(), "Disk").result
            for left in (FREE_BYTES_LEAST, FREE_BYTES_LEAST - 1)
        ]

        assert results == ["ok", "warn"]

    def test_fail_where_the_disk_cannot_be_looked_at(self, place: Place) -> None:
        def gone(_folder: Path) -> int:
            raise FileNotFoundError(2, "No such file or directory")

        assert named(place.health(free=gone).checks(), "Disk").result == "fail"

    def test_fail_where_no_log_can_be_written(self, place: Place, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        logs = Logs.open(tmp_path / "file")

        assert named(place.health(logs=logs).checks(), "Log").result == "fail"
        logs.close()

    def test_fail_where_the_mis_is_gone(self, place: Place) -> None:
        place.services.reader.how_many_wait()
        health = place.health()
        place.services.mis.close()
        place.services.place.mis_file.unlink()

        checks = health.checks()

        assert any(one.result == "fail" and (one.cause or "").startswith("mis_") for one in checks)
        assert named(checks, "Store").result == "ok"

    def test_ask_the_engine_where_there_is_one(self, place: Place) -> None:
        def broken() -> Check:
            raise StoreUnavailable(detail="the engine's database")

        well = place.health(engine=lambda: Check("Engine", "ok", "runs")).checks()
        ill = place.health(engine=broken).checks()

        assert named(well, "Engine").result == "ok"
        assert named(ill, "Engine").cause == "store_unavailable"
        assert "Engine" not in {one.name for one in place.health().checks()}

    def test_fail_where_the_log_is_not_the_one_an_anchor_was_kept_of(self, place: Place) -> None:
        place.services.audit.note(Entry("run.start", "run 1", by=place.services.actor("cli")))
        place.anchors.write_if_due()
        good = named(place.health().checks(), "Audit log")
        file = place.services.settings.feebridge_home / "logs" / "audit-anchors.jsonl"
        at = "2025-11-22T10:00:00+00:00"
        results = []
        for head, digest in ((1, GENESIS), (999, GENESIS)):
            line = f'{{"at":"{at}","hash":"{digest}","id":{head}}}\n'
            file.write_text(line, encoding="utf-8")
            results.append(named(place.health().checks(), "Audit log").result)

        assert good.result == "ok"
        assert results == ["fail", "fail"]


class TestAlive:
    def test_is_whether_the_store_answers(self, place: Place) -> None:
        assert place.health().alive()


class TestFigures:
    def test_tell_what_stands(self, place: Place) -> None:
        place.connect()

        figures = place.health().figures()

        assert sum(figures.invoices.values()) == 1_250
        assert set(figures.invoices) == {"not_synced", "synced", "failed", "in_progress"}
        assert figures.connected is True
        assert 99 * 86_400 < (figures.sign_in_left_s or 0) <= 101 * 86_400
        assert figures.audit_entries == place.services.audit.head().id
        assert (figures.store_bytes or 0) > 10_000

    def test_leave_out_what_cannot_be_read(self, place: Place) -> None:
        health = place.health()
        place.services.mis.close()
        place.services.place.mis_file.unlink()

        figures = health.figures()

        assert figures.invoices == {}
        assert figures.audit_entries is not None
