"""The log: one event, one line, no secret, and never a reason to stop."""

import json
import logging
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from dbos._logger import init_logger  # what DBOS itself calls when it is made

from application.logs import FIELDS, LIBRARIES, LogMisused, Logs, masked

CANARIES = {
    "bearer": "Bearer canarybearer0123456789",
    "signed": "eyJhbGciOiJkaXIi.canarysigned.x",
    "fernet": "gAAAAABcanaryfernet0123456789==",
    "key": "fb_canarykey0123456789",
    "intuit": "RT1-canaryintuit-0123",
    "address": "mysql://mis:canaryaddress@db1/mis",
    "callback": "/callback?code=canarycode&state=canarystate&realmId=canaryrealm",
    "mail": "canarymail@mail.example.org",
    "phone": "+250788123456",
    "local_phone": "0788123456",
}


@pytest.fixture
def logs(tmp_path: Path) -> Iterator[Logs]:
    made = Logs.open(tmp_path / "logs", strict=True)
    yield made
    made.close()


def lines(folder: Path) -> list[dict[str, Any]]:
    text = (folder / "logs" / "app.log").read_text(encoding="utf-8")
    return [json.loads(line) for line in text.splitlines()]


class TestEvent:
    def test_is_one_line_with_time_level_and_name_first(self, logs: Logs, tmp_path: Path) -> None:
        logs.event("receipt.written", run_id=42, invoice_id=12345, quickbooks_id="1046")

        (line,) = lines(tmp_path)

        assert list(line) == ["time", "level", "event", "run_id", "invoice_id", "quickbooks_id"]
        assert (line["event"], line["level"], line["invoice_id"]) == (
            "receipt.written",
            "info",
            12345,
        )
        assert datetime.fromisoformat(line["time"]).tzinfo == UTC

    def test_keeps_instants_amounts_and_absence(self, logs: Logs, tmp_path: Path) -> None:
        at = datetime(2025, 11, 22, 9, 58, tzinfo=UTC)

        logs.event("run.finished", until=at, total=Decimal("450000.00"), run_id=None)

        (line,) = lines(tmp_path)
        assert line["until"] == "2025-11-22T09:58:00.000+00:00"
        assert (line["total"], line["run_id"]) == ("450000.00", None)

    @pytest.mark.covers("G5")
    @pytest.mark.parametrize(
        "value",
        ["a\nfake.event", "a\r\n{}", "a\x1b[2Jb", 'a","level":"error', "a\u2028b", "a\x00"],
    )
    def test_cannot_be_forged_by_a_fact(self, value: str, logs: Logs, tmp_path: Path) -> None:
        logs.event("invoice.refused", outcome=value)

        assert [line["outcome"] for line in lines(tmp_path)] == ["a"]

    def test_keeps_the_word_and_not_the_prose_after_it(self, logs: Logs, tmp_path: Path) -> None:
        logs.event("invoice.unknown", outcome="rule_without_name: Uwase may not be named")

        assert lines(tmp_path)[0]["outcome"] == "rule_without_name"

    @pytest.mark.parametrize("name", ["nodot", "Run.Finished", "run finished", "run.\nfinished"])
    def test_needs_a_dotted_name(self, name: str, logs: Logs) -> None:
        with pytest.raises(LogMisused):
            logs.event(name)

    def test_below_the_level_is_not_written(self, tmp_path: Path) -> None:
        logs = Logs.open(tmp_path / "logs", level="warning")
        logs.event("run.finished")
        logs.event("mis.waited_for", level="warning")
        logs.close()

        assert [line["event"] for line in lines(tmp_path)] == ["mis.waited_for"]


class TestFields:
    def test_outside_the_list_raise_in_tests(self, logs: Logs) -> None:
        with pytest.raises(LogMisused) as caught:
            logs.event("invoice.refused", reg_no="25/00411/BBA")

        assert caught.value.name == "reg_no"

    def test_outside_the_list_are_dropped_in_production(self, tmp_path: Path) -> None:
        logs = Logs.open(tmp_path / "logs")
        logs.event("invoice.refused", reg_no="25/00411/BBA", invoice_id=1)
        logs.event("Misnamed 25/00411/BBA")
        logs.close()

        first, second = lines(tmp_path)
        assert (first["invoice_id"], "reg_no" in first) == (1, False)
        assert second["event"] == "event.misnamed"

    def test_never_name_a_person_or_a_secret(self) -> None:
        assert FIELDS.isdisjoint(
            {"reg_no", "name", "email", "phone", "token", "text", "payload", "body", "company_id"}
        )


class TestAccessLine:
    def test_tells_route_method_and_caller_but_no_path(self, logs: Logs, tmp_path: Path) -> None:
        logs.event(
            "request.answered",
            method="GET",
            route="/api/v1/sync/invoices/{invoice_id}",
            http_status=200,
            milliseconds=12,
            request_id="01JD0000000000000000000000",
            key_id=3,
            peer="loopback",
        )

        (line,) = lines(tmp_path)
        assert (line["method"], line["route"]) == ("GET", "/api/v1/sync/invoices/{invoice_id}")
        assert (line["http_status"], line["key_id"], line["peer"]) == (200, 3, "loopback")

    @pytest.mark.parametrize(
        "route", ["/", "/api/v1/sync/batch", "/health/", "/static/{path:path}"]
    )
    def test_takes_every_template(self, logs: Logs, tmp_path: Path, route: str) -> None:
        logs.event("request.answered", route=route)

        assert [line["route"] for line in lines(tmp_path)] == [route]

    @pytest.mark.parametrize(
        "route",
        [
            "/api/v1/sync/invoices/12345",
            "/callback?code=canary",
            "/invoices/MIS-12345",
            "/a" * 100,
            "/a\n{}",
            "",
        ],
    )
    def test_never_tells_a_path_as_it_was_asked_for(
        self, logs: Logs, tmp_path: Path, route: str
    ) -> None:
        logs.event("request.answered", route=route)

        assert [line["route"] for line in lines(tmp_path)] == ["other"]

    @pytest.mark.parametrize(
        ("field", "value"), [("method", "BREW"), ("method", "get"), ("hash", "Uwase")]
    )
    def test_keeps_a_field_to_its_shape(
        self, logs: Logs, tmp_path: Path, field: str, value: str
    ) -> None:
        facts: dict[str, Any] = {field: value}
        logs.event("request.answered", **facts)

        assert [line[field] for line in lines(tmp_path)] == ["other"]


class TestCount:
    def test_hears_each_line_once_and_as_it_is_written(self, logs: Logs, tmp_path: Path) -> None:
        heard: list[tuple[str, str, dict[str, object]]] = []
        logs.feed(lambda event, level, facts: heard.append((event, level, dict(facts))))

        logs.event("invoice.refused", level="warning", outcome="canary@mail.example.org", run_id=7)
        logs.event("store.asked", level="debug")

        (line,) = lines(tmp_path)
        assert heard == [("invoice.refused", "warning", {"outcome": "***", "run_id": 7})]
        assert line["outcome"] == "***"

    def test_hears_libraries_too(self, logs: Logs) -> None:
        heard: list[str] = []
        logs.feed(lambda event, _level, _facts: heard.append(event))

        logging.getLogger("some_library").warning("canary")

        assert heard == ["library.warned"]


class TestSecrets:
    @pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES)
    def test_are_struck_out_of_every_value(self, secret: str, logs: Logs, tmp_path: Path) -> None:
        logs.event("invoice.refused", outcome=secret)

        text = (tmp_path / "logs" / "app.log").read_text(encoding="utf-8")
        assert "canary" not in text
        assert "788123456" not in text

    @pytest.mark.parametrize("secret", CANARIES.values(), ids=CANARIES)
    def test_are_struck_out_of_any_text(self, secret: str) -> None:
        told = masked(f"before {secret} after")

        assert told.startswith("before ")
        assert "canary" not in told
        assert "788123456" not in told

    def test_are_not_seen_in_ids_of_ours(self, logs: Logs, tmp_path: Path) -> None:
        request = "fb0788123456" + "a" * 22

        logs.event(
            "receipt.written", quickbooks_id="0788123456", requestid=request, number="MIS-12345"
        )

        (line,) = lines(tmp_path)
        assert (line["quickbooks_id"], line["requestid"]) == ("0788123456", request)
        assert line["number"] == "MIS-12345"


class TestLibraries:
    def test_are_heard_from_warning_upwards_and_without_values(
        self, logs: Logs, tmp_path: Path
    ) -> None:
        library = logging.getLogger("some_library")
        library.info("quiet %s", "canary")
        library.warning("pool of %s is full", "canary")
        library.warning("whole canary sentence")

        del logs
        first, second = lines(tmp_path)
        assert (first["library"], first["template"]) == ("some_library", "pool of %s is full")
        assert second["template"] == "str"
        assert "canary" not in (tmp_path / "logs" / "app.log").read_text(encoding="utf-8")

    def test_taken_in_have_no_screen_of_their_own(
        self, logs: Logs, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        library = logging.getLogger("loud_library")
        library.addHandler(logging.StreamHandler(sys.stderr))
        library.setLevel(logging.DEBUG)

        logs.take_in("loud_library")
        library.info("request of %s", "canary")
        library.error("token %s refused", "canary")
        try:
            raise ValueError("canary")  # noqa: EM101, TRY301 - what a traceback would show
        except ValueError:
            library.exception("whole canary sentence")

        assert capsys.readouterr() == ("", "")
        assert [line["template"] for line in lines(tmp_path)] == ["token %s refused", "str"]
        assert "canary" not in (tmp_path / "logs" / "app.log").read_text(encoding="utf-8")

    def test_with_a_console_of_their_own_are_taken_in_before_and_after(
        self, logs: Logs, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logs.take_in(*LIBRARIES)
        init_logger()
        logging.getLogger("dbos").error("canary")
        logging.getLogger("uvicorn.error").info("canary")

        assert capsys.readouterr() == ("", "")

    def test_taken_in_are_let_go_at_the_end(self, tmp_path: Path) -> None:
        logs = Logs.open(tmp_path / "logs")
        logs.take_in("quiet_library")
        logs.close()
        library = logging.getLogger("quiet_library")

        assert (library.handlers, library.propagate, library.level) == ([], True, logging.NOTSET)

    def test_are_left_alone_after_closing(self, tmp_path: Path) -> None:
        before = list(logging.getLogger().handlers)
        logs = Logs.open(tmp_path / "logs")
        logs.close()

        assert logging.getLogger().handlers == before


class TestFile:
    def test_is_for_its_owner_alone(self, logs: Logs, tmp_path: Path) -> None:
        logs.event("run.finished")

        assert (tmp_path / "logs").stat().st_mode & 0o777 == 0o700
        assert (tmp_path / "logs" / "app.log").stat().st_mode & 0o777 == 0o600

    def test_is_put_aside_when_full_and_only_five_are_kept(self, tmp_path: Path) -> None:
        logs = Logs.open(tmp_path / "logs", bytes_max=2_000)
        for number in range(400):
            logs.event("receipt.written", invoice_id=number)
        logs.close()

        files = sorted((tmp_path / "logs").iterdir())
        assert [file.name for file in files] == ["app.log", *(f"app.log.{n}" for n in range(1, 6))]
        assert max(file.stat().st_size for file in files) <= 2_000
        assert {file.stat().st_mode & 0o777 for file in files} == {0o600}

    def test_goes_on_from_where_another_process_stopped(self, tmp_path: Path) -> None:
        for number in (1, 2):
            logs = Logs.open(tmp_path / "logs")
            logs.event("receipt.written", invoice_id=number)
            logs.close()

        assert [line["invoice_id"] for line in lines(tmp_path)] == [1, 2]

    def test_keeps_the_line_when_it_cannot_be_put_aside(self, tmp_path: Path) -> None:
        logs = Logs.open(tmp_path / "logs", bytes_max=150)
        (tmp_path / "logs" / "app.log.5").mkdir(parents=True)
        (tmp_path / "logs" / "app.log.4").touch()
        for number in range(5):
            logs.event("receipt.written", invoice_id=number)
        logs.close()

        assert [line["invoice_id"] for line in lines(tmp_path)] == [0, 1, 2, 3, 4]


class TestLogThatCannotBeWritten:
    def test_says_so_when_asked(self, tmp_path: Path) -> None:
        good = Logs.open(tmp_path / "logs")
        (tmp_path / "file").touch()
        bad = Logs.open(tmp_path / "file")

        assert (good.writable(), bad.writable(), Logs.silent().writable()) == (True, False, True)
        good.close()
        bad.close()

    def test_on_a_full_disk_says_so_once_and_goes_on(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        folder = tmp_path / "logs"
        folder.mkdir()
        (folder / "app.log").symlink_to("/dev/full")
        logs = Logs.open(folder)

        for number in range(3):
            logs.event("receipt.written", invoice_id=number)
        logs.close()

        assert capsys.readouterr().err.count("cannot be written") == 1

    def test_because_its_folder_is_a_file_says_so_once_and_goes_on(
        self, tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        (tmp_path / "logs").touch()
        logs = Logs.open(tmp_path / "logs")

        for number in range(3):
            logs.event("receipt.written", invoice_id=number)
        logs.close()

        assert capsys.readouterr().err.count("cannot be written") == 1


class TestConsole:
    def test_shows_the_same_line(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        logs = Logs.open(tmp_path / "logs", console=True)
        logs.event("run.finished", run_id=7)
        logs.close()

        assert json.loads(capsys.readouterr().err)["run_id"] == 7


class TestSilentLogs:
    def test_write_nothing_and_refuse_unlisted_fields(
        self, capsys: pytest.CaptureFixture[str]
    ) -> None:
        logs = Logs.silent()
        logs.event("run.finished", run_id=7)

        with pytest.raises(LogMisused):
            logs.event("run.finished", reg_no="25/00411/BBA")

        logs.close()
        assert capsys.readouterr() == ("", "")
