"""QuickBooks, the network and a second sender do their worst; the books still agree."""

import signal
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import pytest

from tests.walks import observer
from tests.walks.desk import until
from tests.walks.support import TOOL
from tests.walks.university import University, university, wait_until


def finished(place: University) -> None:
    code, out, err = place.run("all")
    books = place.look()

    assert code == 0, out + err
    assert books.problems == []
    assert not {0, 3} & set(books.counts), out + err
    assert place.simulator.violations() == {}


class TestQuickBooks:
    @pytest.mark.parametrize(
        "faults",
        [
            pytest.param(
                [("drop_after_commit", {"rate": 0.2})],
                id="answers lost after saving",
                marks=pytest.mark.covers("A5"),
            ),
            pytest.param(
                [("drop_before_commit", {"rate": 0.2})],
                id="requests lost",
                marks=[pytest.mark.long, pytest.mark.covers("A4")],
            ),
            pytest.param(
                [("drop_half_answer", {"rate": 0.2})],
                id="answers cut in the middle",
                marks=[pytest.mark.long, pytest.mark.covers("A4", "E3")],
            ),
            pytest.param(
                [("server_error_10000", {"rate": 0.2, "commit": True})],
                id="500 though saved",
                marks=pytest.mark.covers("E8", "E20"),
            ),
            pytest.param(
                [("html_502", {"rate": 0.2})],
                id="a proxy's page",
                marks=[pytest.mark.long, pytest.mark.covers("E2", "E4")],
            ),
            pytest.param(
                [("error_6000_unexpected", {"rate": 0.2, "commit": True})],
                id="maybe saved",
                marks=[pytest.mark.long, pytest.mark.covers("E20")],
            ),
            pytest.param(
                [("throttle_429", {"rate": 0.3})],
                id="429 again and again",
                marks=[pytest.mark.long, pytest.mark.covers("E1")],
            ),
            pytest.param(
                [("missing_bid", {"count": 2, "on": "batch"})],
                id="a place missing",
                marks=[pytest.mark.long, pytest.mark.covers("A13")],
            ),
            pytest.param(
                [("doubled_bid", {"count": 2, "on": "batch"})],
                id="a place doubled",
                marks=[pytest.mark.long, pytest.mark.covers("A13")],
            ),
            pytest.param(
                [("cut_batch", {"count": 2, "on": "batch"})],
                id="half a bundle kept",
                marks=pytest.mark.covers("A13"),
            ),
            pytest.param(
                [("unauthorized_401", {"rate": 0.04})],
                id="tokens refused in between",
                marks=[pytest.mark.long, pytest.mark.covers("D5")],
            ),
        ],
    )
    def test_in_trouble_costs_nothing(
        self, faults: list[tuple[str, dict[str, object]]], tmp_path: Path
    ) -> None:
        with university(tmp_path) as place:
            for kind, details in faults:
                place.simulator.fault(kind, **({"on": "any"} | details))

            finished(place)

    @pytest.mark.long
    @pytest.mark.covers("D5")
    def test_with_a_token_that_dies_in_mid_run_costs_nothing(self, tmp_path: Path) -> None:
        with university(tmp_path, size=150, knobs={"latency_ms": [20, 40]}) as place:
            run = place.start("all")
            for _ in range(6):
                wait_until(run, seconds=0.6)
                place.simulator.control("POST", "/_simulator/expire-tokens")
            run.communicate(timeout=120)

            finished(place)

    @pytest.mark.covers("A5")
    def test_that_finds_late_what_it_keeps_costs_nothing(self, tmp_path: Path) -> None:
        knobs = {"index_lag_s": 50, "duplicate_warning": False, "requestid_ttl_s": 0}
        with university(tmp_path, knobs=knobs) as place:
            place.simulator.fault("drop_after_commit", rate=0.3, on="any")

            finished(place)

    @pytest.mark.parametrize(
        ("code", "detail", "count"),
        [
            pytest.param(
                "6000",
                "You can only add or edit one name at a time.",
                2,
                id="names",
                marks=pytest.mark.long,
            ),
            pytest.param("140", "Company Locked Out", 2, id="locked out", marks=pytest.mark.long),
            pytest.param(
                "600",
                "Duplicate Request ID",
                3,
                id="in flight",
                marks=[pytest.mark.long, pytest.mark.covers("E8")],
            ),
            pytest.param("9999", "Nobody has seen this", 2, id="never seen"),
            pytest.param(
                "6000",
                "Une règle que personne ne connaît",
                2,
                id="in French",
                marks=pytest.mark.long,
            ),
        ],
    )
    def test_that_refuses_for_a_while_costs_nothing(
        self, code: str, detail: str, count: int, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=30) as place:
            place.run("batch")
            place.simulator.fault(
                "refuse", on="any", code=code, message="Refused", detail=detail, count=count
            )

            place.run("all")
            finished(place)

    def test_that_takes_no_email_gets_customers_without(self, tmp_path: Path) -> None:
        with university(tmp_path, size=30) as place:
            place.simulator.fault(
                "refuse",
                on="customer",
                code="2210",
                message="Email Address does not conform",
                detail="Email Address does not conform to the syntax rules of RFC 822.",
                rate=0.3,
            )

            finished(place)

    @pytest.mark.long
    @pytest.mark.covers("E21")
    def test_that_renumbers_what_we_send_stops_after_one(self, tmp_path: Path) -> None:
        with university(tmp_path, size=40, knobs={"number_not_kept": True}) as place:
            code, out, err = place.run("all")

            live = [one for one in place.simulator.ledger("Invoice") if one.get("live", True)]
            assert code == 0, out + err
            assert "custom_numbers_off" in out
            assert len(live) == 1
            assert 3 not in observer.look(place.folder / "mis.db", []).counts

    @pytest.mark.long
    def test_that_applies_credits_at_once_is_no_difference(self, tmp_path: Path) -> None:
        with university(tmp_path, size=30, knobs={"auto_apply_credit": True}) as place:
            finished(place)

    @pytest.mark.long
    @pytest.mark.covers("D6")
    def test_that_forgets_us_marks_nothing_failed_and_goes_on_after_connecting(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=60) as place:
            place.run("batch")
            before = observer.look(place.folder / "mis.db", []).counts
            place.simulator.control("POST", "/_simulator/revoke")

            code, out, _ = place.run("all")

            assert (code, "authentication_failed" in out) == (1, True)
            assert observer.look(place.folder / "mis.db", []).counts == before
            place.run("connect")
            finished(place)

    def test_that_loses_the_answer_to_a_renewal_keeps_or_loses_the_sign_in_loudly(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path, size=40, knobs={"refresh_grace_s": 86_400}) as place:
            place.run("batch")
            place.simulator.fault("lose_refresh_answer", count=1)
            place.simulator.control("POST", "/_simulator/expire-tokens")

            finished(place)

    @pytest.mark.long
    @pytest.mark.covers("E2")
    def test_that_is_away_for_good_ends_the_run_and_frees_what_was_not_sent(
        self, tmp_path: Path
    ) -> None:
        with university(tmp_path) as place:
            place.simulator.fault("refuse_connection", seconds=1_000_000)

            code, out, _ = place.run("all")

            assert code == 1
            assert "quickbooks_unavailable" in out
            assert set(observer.look(place.folder / "mis.db", []).counts) == {0}


class TestTwoSenders:
    @pytest.mark.covers("C1")
    def test_never_work_at_once(self, tmp_path: Path) -> None:
        with university(tmp_path, size=150, knobs={"latency_ms": [500, 500]}) as place:
            first = place.start("all")
            until(lambda: len(place.simulator.log()) > 2)  # it holds the lease
            code, out, _ = place.run("all")
            ended = first.poll()
            place.simulator.knob(latency_ms=[0, 0])
            first.communicate(timeout=120)

            assert (code, out.split()[:2]) == (7, ["stopped", "run_active"])
            assert ended is None
            finished(place)

    @pytest.mark.long
    def test_settle_what_the_other_left_when_it_was_killed(self, tmp_path: Path) -> None:
        with university(tmp_path, size=150, knobs={"latency_ms": [20, 40]}) as place:
            for seconds in (2.0, 2.6, 3.2):
                run = place.start("all")
                wait_until(run, seconds=seconds)
                run.send_signal(signal.SIGKILL)
                run.communicate()

            finished(place)

    @pytest.mark.long
    def test_send_what_another_program_left_and_never_sent(self, tmp_path: Path) -> None:
        with university(tmp_path, size=30) as place:
            with closing(sqlite3.connect(place.folder / "mis.db")) as mis, mis:
                mis.execute(
                    "UPDATE tbl_imvoice SET QuickBk_Status = 3, pushed_by = 'another program',"
                    " pushed_date = datetime('now', '-1 day') WHERE id % 3 = 0"
                )

            finished(place)

    @pytest.mark.long
    def test_serve_a_person_s_single_ahead_of_the_next_page(self, tmp_path: Path) -> None:
        with university(tmp_path, size=400, knobs={"latency_ms": [60, 90]}) as place:
            run = place.start("all")
            wait_until(run, seconds=2.5)

            asked = subprocess.run(  # noqa: S603 - our own tool, no shell
                [sys.executable, str(TOOL), "single", "1390"],
                env=place.environment(),
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )

            assert asked.returncode == 0, asked.stderr
            assert run.poll() is None  # the long run is still at work
            run.communicate(timeout=120)
            finished(place)


@pytest.mark.long
class TestACustomerNobodyCanAskAbout:
    @pytest.mark.covers("A4", "E9")
    def test_is_not_created_again(self, tmp_path: Path) -> None:
        with university(tmp_path, size=30) as place:
            place.settings["BATCH_SIZE"] = "10"
            place.run("batch")
            place.simulator.fault("drop_before_commit", on="customer", count=2)
            place.simulator.fault("html_502", rate=1, on="query")
            seen = len(place.simulator.log())
            run = place.start("all")
            wait_until(run, seconds=12)  # absence is believed after four, and asked for again
            sent = Counter(
                one["requestid"]
                for one in place.simulator.log()[seen:]
                if one["method"] == "POST" and one["path"].endswith("/customer")
            )
            place.simulator.control("DELETE", "/_simulator/faults")
            run.communicate(timeout=120)

            assert max(sent.values()) == 1, sent
            finished(place)


@pytest.mark.long
class TestASettlingThatLasts:
    def test_longer_than_the_lease_keeps_it(self, tmp_path: Path) -> None:
        with university(tmp_path, size=160) as place:
            place.settings |= {"BATCH_SIZE": "100", "LEASE_S": "190", "HEARTBEAT_S": "20"}
            place.settings |= {"BREAKER_AFTER": "100", "INDEX_LAG_S": "4000"}
            place.run("batch")
            place.simulator.knob(index_lag_s=3_000)  # while it lasts no look finds anything
            place.simulator.fault("drop_after_commit", rate=1, on="batch")
            place.simulator.fault("drop_after_commit", rate=1, on="invoice")
            place.run("batch")
            place.simulator.control("DELETE", "/_simulator/faults")
            unclear = place.look().counts[3]
            # Two reads last longer than the lease, each less than we wait for one.
            place.simulator.knob(latency_ms=[2_200, 2_200])

            code, out, err = place.run("settle")

            assert unclear > 30
            assert code == 0, out + err
            assert place.look().problems == []
