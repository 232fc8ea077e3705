"""Bytes, headers and trouble on demand: checklist 9 to 17."""

import gzip
import http.client
import time
from collections.abc import Iterator

import pytest

from tests.rooms.simulator_support import Answer, RunningSimulator, Thing, invoice_body


@pytest.fixture(scope="module")
def running() -> Iterator[RunningSimulator]:
    with RunningSimulator.start(clock_scale=200) as simulator:
        yield simulator


@pytest.fixture
def simulator(running: RunningSimulator) -> RunningSimulator:
    running.reset()
    return running


@pytest.fixture
def body(simulator: RunningSimulator) -> Thing:
    customer = simulator.create("Customer", {"DisplayName": "25/00411/BBA"})
    return invoice_body(customer["Id"], number="MIS-1")


def bare(simulator: RunningSimulator, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    path = f"/v3/company/{simulator.realm_id}/preferences?minorversion=75"
    return simulator.call("GET", path, headers=named)


class TestARequest:
    def test_9_without_a_token_is_told_so(self, simulator: RunningSimulator) -> None:
        assert bare(simulator).code == "3202"

    @pytest.mark.parametrize("value", ["Bearer short", "Basic abc", "Bearer"])
    def test_9_with_a_malformed_token_is_told_so(
        self, simulator: RunningSimulator, value: str
    ) -> None:
        answer = bare(simulator, Authorization=value)

        assert (answer.status, answer.code) == (401, "3200")
        assert "Malformed bearer token" in answer.body.decode()

    def test_9_for_no_resource_gets_code_500_under_400(self, simulator: RunningSimulator) -> None:
        for method, path in (("GET", "nonsense"), ("GET", "customer/1/5"), ("DELETE", "invoice")):
            answer = simulator.send(method, path)

            assert (answer.status, answer.code) == (400, "500")

    def test_10_without_accept_gets_xml_and_a_violation(self, simulator: RunningSimulator) -> None:
        token = simulator.token()["access_token"]

        answer = bare(simulator, Authorization=f"Bearer {token}", Accept="*/*")

        assert answer.status == 200
        assert b"<IntuitResponse" in answer.body
        assert simulator.violations()["no_json_accept"] == 1

    def test_11_of_another_content_type_is_refused(
        self, simulator: RunningSimulator, body: Thing
    ) -> None:
        answer = simulator.send("POST", "invoice", body, content_type="text/xml")

        assert (answer.status, answer.code) == (400, "500")

    def test_11_of_bytes_that_are_no_utf8_gets_2010(self, simulator: RunningSimulator) -> None:
        answer = simulator.send("POST", "customer", b'{"DisplayName":"Ren\xe9mm"}')

        assert (answer.status, answer.code) == (400, "2010")
        assert "Invalid UTF-8" in answer.detail

    def test_12_gets_a_tid_of_its_own(self, simulator: RunningSimulator) -> None:
        answers = [simulator.send("GET", "preferences"), simulator.send("GET", "x")]
        answers += [bare(simulator), bare(simulator)]

        assert len({answer.headers["intuit_tid"] for answer in answers}) == 4

    def test_12_gets_the_headers_quickbooks_sends(self, simulator: RunningSimulator) -> None:
        good = simulator.send("GET", "preferences").headers
        bad = simulator.send("GET", "invoice/99").headers

        assert good["content-type"] == "application/json;charset=utf-8"
        assert "qbo-version" in good
        assert good["date"].endswith("GMT")
        assert bad["content-type"] == "application/json"
        assert "qbo-version" not in bad

    @pytest.mark.parametrize("version", ["", "70", "76", "x"])
    def test_13_of_another_version_is_answered_and_noted(
        self, simulator: RunningSimulator, version: str
    ) -> None:
        answer = simulator.send("GET", "preferences", minorversion=version)

        assert answer.status == 200
        assert simulator.violations()["minorversion"] == 1

    @pytest.mark.parametrize(
        ("change", "name"),
        [
            ({"BadJson": True}, "BadJson"),
            ({"docNumber": "1"}, "docNumber"),
            ({"CustomerRef": {"Value": "1"}}, "Value"),
            ({"Line": [{"amount": 1}]}, "amount"),
        ],
        ids=["unknown", "wrong case", "inside a reference", "inside a line"],
    )
    def test_14_with_an_unknown_property_is_told_its_name(
        self, simulator: RunningSimulator, body: Thing, change: Thing, name: str
    ) -> None:
        answer = simulator.send("POST", "invoice", body | change)

        assert (answer.status, answer.code) == (400, "2010")
        assert f'Unrecognized field "{name}"' in answer.detail
        assert "element" not in answer.json["Fault"]["Error"][0]

    @pytest.mark.parametrize("raw", [b"{", b"[]", b"7", b'{"a":NaN}', b"", b'{"a":1}}'])
    def test_15_of_malformed_json_gets_2010(self, simulator: RunningSimulator, raw: bytes) -> None:
        answer = simulator.send("POST", "invoice", raw)

        assert (answer.status, answer.code) == (400, "2010")

    def test_16_that_succeeds_gets_200(self, simulator: RunningSimulator, body: Thing) -> None:
        created = simulator.send("POST", "invoice", body, requestid="a")

        assert created.status == 200
        assert set(created.json) == {"Invoice", "time"}

    def test_may_be_compressed(self, simulator: RunningSimulator) -> None:
        simulator.knob(gzip=True)
        token = simulator.token()["access_token"]

        answer = bare(
            simulator,
            Authorization=f"Bearer {token}",
            Accept="application/json",
            Accept_Encoding="gzip",
        )

        assert b"CurrencyPrefs" in gzip.decompress(answer.body)

    def test_may_share_its_connection(self, simulator: RunningSimulator) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", simulator.port, timeout=20)
        statuses = []
        for _ in range(3):
            connection.request("GET", "/_simulator/state")
            answer = connection.getresponse()
            answer.read()
            statuses.append(answer.status)
        connection.close()

        assert statuses == [200, 200, 200]


class TestAFault:
    @pytest.mark.parametrize(
        ("kind", "kept"), [("drop_before_commit", 0), ("drop_after_commit", 1)]
    )
    def test_17_drops_the_connection_on_either_side_of_the_commit(
        self, simulator: RunningSimulator, body: Thing, kind: str, kept: int
    ) -> None:
        simulator.fault(kind, on="invoice")

        with pytest.raises(ConnectionError):
            simulator.send("POST", "invoice", body, requestid="a")

        assert len(simulator.ledger()) == kept
        entry = simulator.log()[-1]
        assert (entry["fault"], entry["status"]) == (kind, None)
        assert len(entry["committed"]) == kept

    def test_17_sends_half_an_answer(self, simulator: RunningSimulator, body: Thing) -> None:
        simulator.fault("drop_half_answer", on="invoice")

        with pytest.raises(http.client.IncompleteRead):
            simulator.send("POST", "invoice", body, requestid="a")

        assert len(simulator.ledger()) == 1

    @pytest.mark.parametrize("commit", [False, True])
    def test_17_hangs_for_120_simulated_seconds(
        self, simulator: RunningSimulator, body: Thing, *, commit: bool
    ) -> None:
        simulator.fault("hang", on="invoice", commit=commit)
        start_s = time.monotonic()

        with pytest.raises(ConnectionError):
            simulator.send("POST", "invoice", body, requestid="a")

        assert time.monotonic() - start_s >= 0.59
        assert len(simulator.ledger()) == int(commit)

    def test_17_commits_late_when_the_knob_says_so(
        self, simulator: RunningSimulator, body: Thing
    ) -> None:
        simulator.knob(late_commit_s=600)
        simulator.fault("hang", on="invoice")

        with pytest.raises(ConnectionError):
            simulator.send("POST", "invoice", body, requestid="a")
        early = len(simulator.ledger())
        simulator.control("POST", "clock", {"advance_s": 720})

        assert (early, len(simulator.ledger())) == (0, 1)

    @pytest.mark.parametrize(
        ("kind", "status", "text"),
        [
            ("html_404", 404, b"<html>"),
            ("html_502", 502, b"nginx"),
            ("html_503", 503, b"nginx"),
            ("html_504", 504, b"nginx"),
            ("stream_timeout", 504, b"stream timeout"),
            ("server_error_10000", 500, b'"10000"'),
            ("error_6000_unexpected", 400, b"unexpected error occurred while accessing or saving"),
            ("throttle_429", 429, b"ThrottleExceeded"),
            ("unauthorized_401", 401, b"AuthenticationFailed"),
        ],
    )
    @pytest.mark.parametrize("commit", [False, True])
    def test_17_answers_wrongly_with_and_without_a_commit(
        self,
        simulator: RunningSimulator,
        body: Thing,
        kind: str,
        status: int,
        text: bytes,
        *,
        commit: bool,
    ) -> None:
        simulator.fault(kind, on="invoice", commit=commit)

        answer = simulator.send("POST", "invoice", body, requestid="a")
        again = simulator.send("POST", "invoice", body, requestid="a")

        assert answer.status == status
        assert text in answer.body
        assert again.status == 200
        assert simulator.log()[-1]["replayed"] is commit
        assert len(simulator.ledger()) == 1

    @pytest.mark.parametrize(
        ("kind", "text"),
        [("bad_json_200", b""), ("nan", b":NaN"), ("doubled_keys", b'"time":')],
    )
    def test_spoils_the_body_of_a_good_answer(
        self, simulator: RunningSimulator, body: Thing, kind: str, text: bytes
    ) -> None:
        simulator.fault(kind, on="invoice")

        answer = simulator.send("POST", "invoice", body, requestid="a")

        assert answer.status == 200
        assert text in answer.body
        assert len(simulator.ledger()) == 1
        if kind == "bad_json_200":
            with pytest.raises(ValueError, match=r"."):
                _ = answer.json
        if kind == "doubled_keys":
            assert answer.body.count(text) == 2

    def test_promises_more_bytes_than_it_sends(
        self, simulator: RunningSimulator, body: Thing
    ) -> None:
        simulator.fault("wrong_length", on="invoice")

        with pytest.raises(http.client.IncompleteRead):
            simulator.send("POST", "invoice", body)

    def test_drips_and_is_slow(self, simulator: RunningSimulator, body: Thing) -> None:
        simulator.fault("drip", on="invoice", ms=0.1)
        simulator.fault("slow", on="customer", ms=150)

        dripped = simulator.send("POST", "invoice", body)
        start_s = time.monotonic()
        slow = simulator.send("POST", "customer", {"DisplayName": "Mugisha"})

        assert (dripped.status, slow.status) == (200, 200)
        assert time.monotonic() - start_s >= 0.15

    def test_unpacks_to_64_mebibytes(self, simulator: RunningSimulator, body: Thing) -> None:
        simulator.fault("gzip_bomb", on="invoice")

        answer = simulator.send("POST", "invoice", body)

        assert answer.headers["content-encoding"] == "gzip"
        assert len(answer.body) < 1_000_000

    def test_closes_new_connections_for_a_while(self, simulator: RunningSimulator) -> None:
        simulator.fault("refuse_connection", seconds=100)

        with pytest.raises(ConnectionError):
            simulator.call("GET", "/_simulator/state")
        time.sleep(0.55)

        assert simulator.call("GET", "/_simulator/state").status == 200

    def test_strikes_by_subject_count_and_after(
        self, simulator: RunningSimulator, body: Thing
    ) -> None:
        simulator.fault("html_502", on="invoice", count=2, after=1)

        statuses = [
            simulator.send("POST", "invoice", body | {"DocNumber": f"MIS-{n}"}).status
            for n in range(4)
        ]
        reads = simulator.send("GET", "preferences").status

        assert (statuses, reads) == ([200, 502, 502, 200], 200)
        assert simulator.control("GET", "faults") == []

    def test_strikes_at_a_rate(self, simulator: RunningSimulator) -> None:
        simulator.fault("html_502", rate=0.5)

        statuses = [simulator.send("GET", "preferences").status for _ in range(60)]

        assert 10 < statuses.count(502) < 50
        simulator.control("DELETE", "faults")
        assert simulator.send("GET", "preferences").status == 200

    def test_may_be_any_refusal_or_any_answer(
        self, simulator: RunningSimulator, body: Thing
    ) -> None:
        simulator.fault("refuse", on="invoice", code="5010", message="Stale Object Error")
        simulator.fault("answer", on="invoice", status=200, body="<html>", content_type="text/html")

        refused = simulator.send("POST", "invoice", body)
        answered = simulator.send("POST", "invoice", body)

        assert refused.code == "5010"
        assert (answered.status, answered.body) == (200, b"<html>")
        assert simulator.ledger() == []

    def test_of_an_unknown_kind_is_refused(self, simulator: RunningSimulator) -> None:
        with pytest.raises(ValueError, match="NoSuchFault"):
            simulator.fault("earthquake")

    def test_may_answer_401_as_xml(self, simulator: RunningSimulator) -> None:
        simulator.knob(unauthorized_body="xml")
        simulator.fault("unauthorized_401")

        answer = simulator.send("GET", "preferences")

        assert answer.status == 401
        assert b'<Fault type="AUTHENTICATION"><Error code="003200">' in answer.body
