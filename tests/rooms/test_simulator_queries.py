"""The query language: checklist 49 to 52."""

from collections.abc import Iterator

import pytest

from tests.rooms.simulator_support import RunningSimulator

PEOPLE = ["Uwase", "Mugisha", "Amy's Bird \\ Sanctuary", "25/00411/BBA", "Zoé & Co."]


@pytest.fixture(scope="module")
def simulator() -> Iterator[RunningSimulator]:
    with RunningSimulator.start() as running:
        running.control(
            "POST",
            "seed",
            {
                "customers": [{"DisplayName": name} for name in PEOPLE],
                "items": [{"Name": f"Fee {number:03}"} for number in range(120)],
                "invoices": [
                    {
                        "DocNumber": f"MIS-{number}",
                        "CustomerName": PEOPLE[number % 2],
                        "Total": number * 10,
                        "TxnDate": f"2026-01-{number + 1:02}",
                        "voided": number == 5,
                        "deleted": number == 6,
                    }
                    for number in range(10)
                ],
            },
        )
        running.control("POST", "seed", {"customers": [{"DisplayName": "Old", "Active": False}]})
        yield running


def numbers(simulator: RunningSimulator, rest: str) -> list[str]:
    found = simulator.query("select * from Invoice " + rest).get("Invoice", [])  # noqa: S608  # the simulator's own language
    return [one["DocNumber"] for one in found]


def error(simulator: RunningSimulator, statement: str) -> tuple[str, str]:
    answer = simulator.send("GET", "query", query=statement)
    assert answer.status == 400
    return answer.code, answer.detail


class TestAFilter:
    @pytest.mark.parametrize(
        ("where", "expected"),
        [
            ("DocNumber = 'MIS-1'", ["MIS-1"]),
            ("DocNumber = 'mis-1'", ["MIS-1"]),
            ("DOCNUMBER IN ('MIS-1', 'mis-3','none')", ["MIS-1", "MIS-3"]),
            ("DocNumber LIKE 'MIS-%' AND TotalAmt >= 80", ["MIS-8", "MIS-9"]),
            ("DocNumber like '%-2'", ["MIS-2"]),
            ("TxnDate > '2026-01-08'", ["MIS-8", "MIS-9"]),
            ("TxnDate <= '2026-01-01'", ["MIS-0"]),
            ("TotalAmt = '70.00'", ["MIS-7"]),
            ("TotalAmt < 20", ["MIS-0", "MIS-1", "MIS-5"]),
            ("CustomerRef = '2' AND TotalAmt > 60", ["MIS-7", "MIS-9"]),
            ("Id = '2'", ["MIS-1"]),
            ("Id IN ('2', '4')", ["MIS-1", "MIS-3"]),
            ("Balance > 80", ["MIS-9"]),
            ("MetaData.CreateTime > '2020-01-01T00:00:00-08:00' and Id = '2'", ["MIS-1"]),
            ("MetaData.LastUpdatedTime < '2020-01-01'", []),
            ("TxnDate > CURRENT_DATE", []),
            ("DocNumber = 'MIS-6'", []),
        ],
    )
    def test_51_finds_what_it_says(
        self, simulator: RunningSimulator, where: str, expected: list[str]
    ) -> None:
        assert numbers(simulator, f"where {where} orderby Id") == expected

    @pytest.mark.parametrize(
        ("literal", "name"),
        [
            (r"Amy\'s Bird \\ Sanctuary", PEOPLE[2]),
            ("25/00411/bba", "25/00411/BBA"),
            ("Zoé & Co.", "Zoé & Co."),
        ],
    )
    def test_51_unescapes_a_text(
        self, simulator: RunningSimulator, literal: str, name: str
    ) -> None:
        statement = "SELECT * FROM Customer WHERE DisplayName = '" + literal + "'"  # noqa: S608  # the simulator's own language

        found = simulator.query(statement)

        assert [one["DisplayName"] for one in found["Customer"]] == [name]

    def test_shows_active_entries_of_a_list_unless_asked(self, simulator: RunningSimulator) -> None:
        count = "select count(*) from Customer"

        assert simulator.query(count) == {"totalCount": 5}
        assert simulator.query(count + " where Active = false") == {"totalCount": 1}
        assert simulator.query(count + " where Active in (true, false)") == {"totalCount": 6}

    def test_reads_other_columns_of_a_list(self, simulator: RunningSimulator) -> None:
        found = simulator.query("select * from Account where AccountType = 'Income'")

        assert [one["Name"] for one in found["Account"]] == ["Tuition Income"]
        items = simulator.query("SELECT *, Sku FROM Item where Type = 'Service' maxresults 1")
        assert items["maxResults"] == 1


class TestAPage:
    def test_50_holds_100_rows_by_default_and_1000_at_most(
        self, simulator: RunningSimulator
    ) -> None:
        first = simulator.query("select * from Item")
        rest = simulator.query("select * from Item startposition 101 maxresults 1000")

        assert (first["maxResults"], first["startPosition"]) == (100, 1)
        assert (rest["maxResults"], rest["startPosition"]) == (21, 101)
        assert error(simulator, "select * from Item maxresults 1001")[0] == "4001"

    def test_q13_may_be_cut_instead(self, simulator: RunningSimulator) -> None:
        simulator.knob(max_results="cap")
        try:
            assert simulator.query("select * from Item maxresults 5000")["maxResults"] == 121
        finally:
            simulator.knob(max_results="refuse")

    def test_50_past_the_end_is_empty(self, simulator: RunningSimulator) -> None:
        assert simulator.query("select * from Item startposition 500") == {}
        assert simulator.query("select * from Payment") == {}

    def test_50_counts_without_rows(self, simulator: RunningSimulator) -> None:
        assert simulator.query("SELECT COUNT(*) FROM Invoice") == {"totalCount": 9}

    def test_49_takes_its_clauses_in_either_order(self, simulator: RunningSimulator) -> None:
        rest = "ORDER BY TxnDate DESC MAXRESULTS 2 STARTPOSITION 2"

        assert numbers(simulator, rest) == ["MIS-8", "MIS-7"]

    def test_sorts_by_several_columns(self, simulator: RunningSimulator) -> None:
        found = numbers(simulator, "orderby CustomerRef desc, TotalAmt desc maxresults 3")

        assert found == ["MIS-9", "MIS-7", "MIS-3"]

    def test_52_is_sorted_by_name_or_by_last_change(self, simulator: RunningSimulator) -> None:
        customers = simulator.query("select * from Customer")["Customer"]

        names = [one["DisplayName"] for one in customers]
        assert names == sorted(PEOPLE, key=str.casefold)
        assert numbers(simulator, "")[0] == "MIS-9"


class TestAStatement:
    @pytest.mark.parametrize(
        "statement",
        [
            "select * from Invoice where DocNumber = 'a' or DocNumber = 'b'",
            "select * from Invoice where DocNumber != 'a'",
            "select Id from Invoice",
            "select Id, DocNumber from Invoice",
            "select * from Invoice, Customer",
            "select * from Invoice group by Id",
            "select * from Invoice where upper(DocNumber) = 'A'",
            "select * from Invoice where DocNumber = MIS",
            "select * from Invoice where DocNumber = 'a' nonsense",
            "select * from Invoice where DocNumber",
            "select * from Customer where DisplayName = 'Amy's Bird'",
            "select * from Customer where DisplayName = \u2018Amy\u2019",
            "select%20*%20from%20Invoice",
            'select * from Invoice where DocNumber = "a"',
            "delete from Invoice",
            "select * from",
            "",
        ],
    )
    def test_49_51_beyond_the_grammar_is_4000(
        self, simulator: RunningSimulator, statement: str
    ) -> None:
        code, detail = error(simulator, statement)

        assert code == "4000"
        assert detail.startswith("QueryParserError: ")

    @pytest.mark.parametrize(
        ("statement", "text"),
        [
            ("select * from Custmoer", "invalid context declaration: Custmoer"),
            ("select * from Invoice startposition 0", "value 0 is too small"),
            ("select * from Invoice where PrivateNote = 'x'", "'PrivateNote' is not queryable"),
            ("select * from Customer where Nonsense = 'x'", "'Nonsense' not found"),
            ("select * from Invoice where Id > '1'", "not supported on property Id"),
            ("select * from Invoice where TxnDate = 'soon'", "not valid for property TxnDate"),
            ("select * from Invoice where TotalAmt = 'much'", "not valid for property TotalAmt"),
        ],
    )
    def test_49_without_a_meaning_is_4001(
        self, simulator: RunningSimulator, statement: str, text: str
    ) -> None:
        code, detail = error(simulator, statement)

        assert code == "4001"
        assert text in detail

    def test_may_be_posted_as_text(self, simulator: RunningSimulator) -> None:
        statement = "select * from Invoice where DocNumber = 'MIS-1'"

        answer = simulator.send("POST", "query", statement, content_type="application/text")

        assert answer.json["QueryResponse"]["Invoice"][0]["DocNumber"] == "MIS-1"

    def test_may_ask_for_company_and_preferences(self, simulator: RunningSimulator) -> None:
        company = simulator.query("select * from CompanyInfo")["CompanyInfo"]

        assert company[0]["Country"] == "RW"
        assert simulator.query("SELECT * FROM Preferences")["Preferences"]


class TestLag:
    def test_q18_hides_a_fresh_row_from_queries_alone(self) -> None:
        with RunningSimulator.start(knobs={"index_lag_s": [60, 60]}) as simulator:
            simulator.create("Customer", {"DisplayName": "Uwase"})
            statement = "select * from Customer where DisplayName = 'Uwase'"

            early = simulator.query(statement)
            by_id = simulator.send("GET", "customer/1").status
            simulator.control("POST", "clock", {"advance_s": 61})

            assert (early, by_id) == ({}, 200)
            assert simulator.query(statement)["maxResults"] == 1

    def test_q18_shows_the_old_state_meanwhile(self) -> None:
        with RunningSimulator.start() as simulator:
            simulator.control(
                "POST",
                "seed",
                {"invoices": [{"DocNumber": "A", "CustomerName": "Uwase", "Total": 5}]},
            )
            simulator.knob(index_lag_s=[60, 60])
            token = {"Id": "1", "SyncToken": "0"}
            simulator.send("POST", "invoice", {**token, "sparse": True, "DocNumber": "B"})

            assert numbers(simulator, "where DocNumber = 'A'") == ["A"]
            assert numbers(simulator, "where DocNumber = 'B'") == []
            simulator.control("POST", "clock", {"advance_s": 61})
            assert numbers(simulator, "where DocNumber = 'B'") == ["B"]
