"""Connection, mapping, synthetic MIS and simulator, through the guide's door."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.walks.support import Installation, ended


class TestConnection:
    def test_is_made_and_ended(self, own: Installation) -> None:
        made = own.run("connect")
        name = own.run("status", "--json").json["data"]["quickbooks"]["company"]
        refused = own.run("disconnect")
        over = own.run("disconnect", "--confirm", name)

        assert made.code == 0
        assert made.lines[0].startswith(f"Connected: {name} (SIMULATOR). Reconnect by ")
        assert refused.code == 2
        assert over.code == 0
        assert over.lines[0].startswith("Disconnected and revoked. Links and history are kept")
        assert own.run("status", "--json").json["data"]["quickbooks_connected"] is False

    def test_cannot_be_bound_under_another_name(self, own: Installation) -> None:
        own.run("connect")

        assert own.run("connect", "--bind", "Other Ltd").code == 2


class TestMapping:
    def test_chosen_by_a_person_lets_failed_invoices_go(
        self, synced: Installation, tmp_path: Path
    ) -> None:
        own = synced.copied_to(tmp_path)
        with closing(sqlite3.connect(own.mis_file)) as mis:
            fee = mis.execute("SELECT fee_category FROM tbl_imvoice WHERE id = 205").fetchone()[0]
        chosen = own.run("mapping", "set", str(fee), "Tuition fee")
        sent = own.run("retry", "--cause", "fee_category_unmapped", "--only-fixed", "--json")
        cleared = own.run("mapping", "clear", str(fee))

        assert chosen.code == 0, chosen.err
        assert "-> Tuition fee" in chosen.out
        assert sent.json["data"]["successful"] == 4
        assert cleared.code == 0

    def test_knows_only_products_that_are_there(self, synced: Installation) -> None:
        assert synced.run("mapping", "set", "1", "Moon dust").code == 2

    def test_lists_products(self, synced: Installation) -> None:
        names = [
            one["item"] for one in synced.run("mapping", "list", "--json").json["data"]["mapping"]
        ]

        assert "Tuition fee" in names


class TestSyntheticMis:
    def test_is_built_where_asked(self, tmp_path: Path) -> None:
        here = Installation(tmp_path)
        address = f"sqlite:///{tmp_path / 'other.db'}"
        done = here.run("demo-mis", address, "--profile", "fresh", "--size", "200")
        counted = here.run("analyze", "--json", settings={"MIS_DATABASE_URL": address})

        assert done.code == 0, done.err
        assert done.out == "200 invoices of invented people, profile fresh.\n"
        assert counted.json["data"]["total_invoices"] == 200

    def test_is_not_built_over_another(self, tmp_path: Path) -> None:
        here = Installation(tmp_path)
        address = f"sqlite:///{tmp_path / 'other.db'}"
        here.run("demo-mis", address)

        assert here.run("demo-mis", address).code == 9
        assert here.run("demo-mis", address, "--replace").code == 0


class TestSimulator:
    def test_runs_until_it_is_told_to_stop(self, tmp_path: Path) -> None:
        child = Installation(tmp_path).start("simulator", "--port", "0")
        assert child.stdout is not None
        greeting = json.loads(child.stdout.readline())
        child.terminate()

        assert greeting["port"] > 0
        assert ended(child).code == 0


class TestDoctor:
    def test_writes_a_file_without_secrets(self, synced: Installation, tmp_path: Path) -> None:
        own = synced.copied_to(tmp_path)  # a wrong secret may end its sign-in
        file = tmp_path / "bundle.txt"
        settings = {"QUICKBOOKS_CLIENT_SECRET": "canary-of-the-secret"}
        done = own.run("doctor", "--bundle", str(file), settings=settings)
        text = file.read_text(encoding="utf-8")

        assert done.lines[-1].endswith(" advice.")
        assert "QUICKBOOKS_CLIENT_SECRET=set" in text
        assert "canary" not in text + done.out + done.err

    def test_brings_the_store_up_to_date_when_asked(self, synced: Installation) -> None:
        assert synced.run("migrate").code == 0
