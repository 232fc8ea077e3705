"""Each setting that decides what is sent, shown by its effect."""

from pathlib import Path

import pytest

from tests.walks.support import Installation

UNMAPPED = 205  # its fee has no product in QuickBooks


@pytest.fixture
def installation(tmp_path: Path) -> Installation:
    return Installation(tmp_path)


class TestItemPolicy:
    @pytest.mark.covers("E12")
    def test_match_refuses_a_fee_without_a_product(self, installation: Installation) -> None:
        done = installation.run("single", str(UNMAPPED))

        assert done.code == 3
        assert "Fee category not mapped" in done.err

    def test_create_makes_the_product_once(self, installation: Installation) -> None:
        chosen = {"ITEM_POLICY": "create", "ITEM_INCOME_ACCOUNT": "Student fees"}

        first = installation.run("single", str(UNMAPPED), settings=chosen)
        second = installation.run("single", "990", settings=chosen)

        assert (first.code, second.code) == (0, 0), first.err + second.err

    def test_create_without_its_account_is_a_wrong_setting(
        self, installation: Installation
    ) -> None:
        done = installation.run("single", str(UNMAPPED), settings={"ITEM_POLICY": "create"})

        assert done.code == 9
        assert "ITEM_INCOME_ACCOUNT" in done.err

    def test_default_takes_every_fee(self, installation: Installation) -> None:
        chosen = {"ITEM_POLICY": "default", "ITEM_DEFAULT": "Tuition fee"}

        done = installation.run("single", str(UNMAPPED), settings=chosen)

        assert done.code == 0, done.err


class TestInvoicesFrom:
    def test_leaves_older_rows_out_of_every_count(self, installation: Installation) -> None:
        every = installation.run("analyze", "--json").json["data"]
        later = installation.run(
            "analyze", "--json", settings={"INVOICES_FROM": "2025-10-01"}
        ).json["data"]

        assert 0 < later["total_invoices"] < every["total_invoices"]
