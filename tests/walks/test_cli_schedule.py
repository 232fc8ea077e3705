"""The schedule through the command line: shown, set piece by piece, paused, refused."""

from typing import Any

from tests.walks.support import Installation

NIGHTLY = ("--days", "mon,tue", "--from", "20:00", "--to", "06:00")


def shown(own: Installation, *words: str) -> dict[str, Any]:
    done = own.run("schedule", *words, "--json")
    assert done.code == 0, done.out
    found: dict[str, Any] = done.json["data"]
    return found


class TestSchedule:
    def test_is_none_at_first(self, own: Installation) -> None:
        told = own.run("schedule")

        assert told.code == 0
        assert told.lines[0] == "No schedule is set: runs start when somebody asks."
        assert told.lines[1].startswith("Next: feebridge schedule set --days")
        assert shown(own, "show")["enabled"] is False
        assert own.run("schedule", "pause").code == 2

    def test_is_set_and_told(self, own: Installation) -> None:
        told = own.run("schedule", "set", *NIGHTLY, "--batch-size", "30", "--max-batches", "7")

        assert told.code == 0, told.err
        assert told.lines[0].startswith("The next run starts ")
        assert told.lines[1:] == [
            "A run starts mon, tue at 20:00 and ends by 06:00.",
            "Batches of 30, at most 7 of them in a run.",
        ]
        schedule = shown(own)
        assert schedule.pop("next_run_at")[10:] == "T20:00:00+02:00"
        assert schedule == {
            "enabled": True,
            "days": ["mon", "tue"],
            "from": "20:00",
            "to": "06:00",
            "batch_size": 30,
            "max_batches": 7,
            "cron": "0 20 * * 1,2",
        }

    def test_is_changed_piece_by_piece(self, own: Installation) -> None:
        shown(own, "set", *NIGHTLY)

        assert shown(own, "set", "--from", "21:30")["cron"] == "30 21 * * 1,2"
        assert shown(own, "set", "--days", "sun")["cron"] == "30 21 * * 0"
        assert shown(own, "set", "--max-batches", "9")["days"] == ["sun"]
        assert shown(own, "set", "--to", "")["to"] is None
        by_hand = shown(own, "set", "--cron", "0 22 1 * *", "--from", "20:00", "--to", "05:00")
        assert (by_hand["cron"], by_hand["days"]) == ("0 22 1 * *", None)
        assert (by_hand["from"], by_hand["to"]) == ("20:00", "05:00")
        assert shown(own, "set", "--max-batches", "0")["max_batches"] is None
        assert own.run("schedule").lines[1:] == [
            "A run starts by the cron line 0 22 1 * *, between 20:00 and 05:00.",
            "Batches of BATCH_SIZE.",
        ]

    def test_set_by_hand_loses_its_window_when_the_end_is_emptied(self, own: Installation) -> None:
        shown(own, "set", "--cron", "0 22 1 * *", "--from", "20:00", "--to", "05:00")

        schedule = shown(own, "set", "--to", "")

        assert (schedule["cron"], schedule["from"], schedule["to"]) == ("0 22 1 * *", None, None)
        assert own.run("schedule").lines[1] == "A run starts by the cron line 0 22 1 * *."

    def test_is_paused_and_resumed(self, own: Installation) -> None:
        shown(own, "set", *NIGHTLY)

        paused = own.run("schedule", "pause")
        again = own.run("schedule", "pause")
        resumed = shown(own, "resume")

        assert paused.lines[0] == "The schedule is paused."
        assert again.code == 2
        assert resumed["enabled"]
        assert resumed["next_run_at"] is not None

    def test_that_cannot_be_is_refused_by_name(self, own: Installation) -> None:
        wrong = own.run("schedule", "set", "--cron", "99 20 * * 1", "--json")
        unclear = own.run("schedule", "set", "--batch-size", "5")

        assert wrong.code == unclear.code == 2
        assert wrong.json["error_code"] == "validation_failed"
        assert wrong.json["details"]["problem"] == "cron has a bad minute"
        assert "cron or days and from are needed" in unclear.err
        assert shown(own)["cron"] is None
