"""Metrics: each event counted once, figures read when scraped, no label without a bound."""

import json
import re
from pathlib import Path

import pytest

from application.logs import Logs
from application.metrics import FRESH_MS, LABELS_MAX, Figures, Metrics

NAME = "feebridge_"


class Scene:
    """Metrics over figures a test may change."""

    def __init__(self) -> None:
        self.now_ms = 0
        self.asked = 0
        self.figures = Figures()
        self.metrics = Metrics(now_ms=lambda: self.now_ms, figures=self._read)

    def _read(self) -> Figures:
        self.asked += 1
        return self.figures

    def value(self, name: str, **labels: str) -> str | None:
        """Return what the text says of a series, None where it does not name it."""
        return self.all().get((NAME + name, tuple(sorted(labels.items()))))

    def all(self) -> dict[tuple[str, tuple[tuple[str, str], ...]], str]:
        found = {}
        for line in self.metrics.text().splitlines():
            if line.startswith("#"):
                continue
            series, _, value = line.rpartition(" ")
            name, _, rest = series.partition("{")
            labels = re.findall(r'(\w+)="((?:[^"\\]|\\.)*)"', rest)
            found[name, tuple(sorted(labels))] = value
        return found


@pytest.fixture
def scene() -> Scene:
    return Scene()


class TestEvents:
    def test_are_counted_by_name_and_level(self, scene: Scene) -> None:
        for level in ("info", "info", "error"):
            scene.metrics.count("sign_in.lost", level, {})

        assert scene.value("events_total", event="sign_in.lost", level="info") == "2.0"
        assert scene.value("events_total", event="sign_in.lost", level="error") == "1.0"

    def test_of_the_log_are_counted_as_they_are_written(self, scene: Scene, tmp_path: Path) -> None:
        logs = Logs.open(tmp_path / "logs", strict=True)
        logs.feed(scene.metrics.count)
        logs.event("run.finished", run_id=4, successful=48, failed=2, unsettled=0)
        logs.event("invoice.refused", run_id=4, invoice_id=9, error_code="customer_not_found")
        logs.event("store.asked", level="debug")
        logs.close()

        assert scene.value("invoices_total", outcome="synced") == "48.0"
        assert scene.value("invoices_total", outcome="failed") == "2.0"
        assert scene.value("invoices_total", outcome="unsettled") == "0.0"
        assert scene.value("refusals_total", error_code="customer_not_found") == "1.0"
        assert scene.value("events_total", event="store.asked", level="debug") is None

    def test_of_pauses_add_up(self, scene: Scene) -> None:
        for paused_ms in (60_000, 30_000):
            scene.metrics.count("run.throttled", "info", {"paused_ms": paused_ms})

        assert scene.value("quickbooks_pauses_total") == "2.0"
        assert scene.value("quickbooks_paused_milliseconds_total") == "90000.0"

    @pytest.mark.parametrize(
        "facts", [{}, {"successful": "many"}, {"successful": None}, {"successful": -1}]
    )
    def test_with_odd_facts_stop_nothing(self, scene: Scene, facts: dict[str, object]) -> None:
        scene.metrics.count("run.finished", "info", facts)
        scene.metrics.count("request.answered", "info", facts)
        scene.metrics.count("invoice.refused", "info", {"error_code": "Uwase Marie"})

        assert scene.value("invoices_total", outcome="synced") == "0.0"
        assert scene.value("refusals_total", error_code="other") == "1.0"
        assert "Uwase" not in scene.metrics.text()


class TestRequests:
    def test_are_counted_and_timed_by_route(self, scene: Scene) -> None:
        route = "/api/v1/sync/invoices/{invoice_id}"
        facts = {"method": "GET", "route": route, "http_status": 200, "milliseconds": 40}
        scene.metrics.count("request.answered", "info", facts)
        scene.metrics.count("request.answered", "info", {**facts, "http_status": 404})

        counted = scene.value("http_requests_total", method="GET", route=route, status="200")
        timed = {"method": "GET", "route": route}
        assert counted == "1.0"
        assert scene.value("http_request_milliseconds_count", **timed) == "2.0"
        assert scene.value("http_request_milliseconds_sum", **timed) == "80.0"
        assert scene.value("http_request_milliseconds_bucket", le="25.0", **timed) == "0.0"
        assert scene.value("http_request_milliseconds_bucket", le="50.0", **timed) == "2.0"

    def test_of_endless_kinds_share_one_label(self, scene: Scene) -> None:
        for number in range(3 * LABELS_MAX):
            facts = {"method": "GET", "route": f"/page{number}", "http_status": 200}
            scene.metrics.count("request.answered", "info", facts)

        routes = {labels for name, labels in scene.all() if name == f"{NAME}http_requests_total"}
        assert len(routes) == LABELS_MAX + 1
        over = scene.value("http_requests_total", method="GET", route="other", status="200")
        assert over == f"{2 * LABELS_MAX}.0"


class TestFigures:
    def test_are_shown_where_they_can_be_read(self, scene: Scene) -> None:
        scene.figures = Figures(
            invoices={"synced": 1_100, "failed": 12},
            runs={"running": 1},
            connected=False,
            sign_in_left_s=8_000_000,
            audit_entries=48_211,
            store_bytes=4_096,
        )

        assert scene.value("invoices_now", status="synced") == "1100.0"
        assert scene.value("runs_now", state="running") == "1.0"
        assert scene.value("quickbooks_connected") == "0.0"
        assert scene.value("sign_in_left_seconds") == "8e+06"
        assert scene.value("audit_entries") == "48211.0"
        assert scene.value("store_bytes") == "4096.0"

    def test_that_cannot_be_read_are_absent_and_not_zero(self, scene: Scene) -> None:
        assert scene.value("audit_entries") is None
        assert scene.value("quickbooks_connected") is None

    def test_are_read_when_scraped_and_kept_for_a_moment(self, scene: Scene) -> None:
        asked = [scene.asked]
        for now_ms in (0, FRESH_MS - 1, FRESH_MS):
            scene.now_ms = now_ms
            scene.metrics.text()
            asked.append(scene.asked)

        assert asked == [0, 1, 1, 2]


class TestText:
    def test_holds_nothing_of_a_process_that_shares_it(self, scene: Scene) -> None:
        other = Scene()
        other.metrics.count("run.finished", "info", {"successful": 5})

        assert scene.value("invoices_total", outcome="synced") is None
        assert "_created" not in scene.metrics.text()

    def test_escapes_what_could_forge_a_line(self, scene: Scene) -> None:
        forged = 'a"} 1\nfeebridge_forged 1'
        scene.metrics.count(forged, "info", {})

        assert (NAME + "forged", ()) not in scene.all()
        assert json.dumps(forged)[1:-1] in scene.metrics.text()
