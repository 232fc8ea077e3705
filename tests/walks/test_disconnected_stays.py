"""Whom a person disconnected from the simulator stays so, however often a server's timers tick."""

from pathlib import Path
from typing import Final

from tests.walks.server import serving
from tests.walks.support import Installation

BOOKS: Final = "/api/v1/quickbooks"
QUESTIONS: Final = 100  # answered in some hundred milliseconds; a timer ticks every 60


def test_a_server_does_not_sign_in_again_by_itself(tmp_path: Path) -> None:
    place = Installation(tmp_path)
    environment = place.environment({"CLOCK_SCALE": "1000"})
    with serving(environment) as server:
        name = server.get(f"{BOOKS}/connection").data["company"]
        assert server.post(f"{BOOKS}/disconnect", {"confirm": name}).status == 200

        states = [server.get(f"{BOOKS}/connection").data for _ in range(QUESTIONS)]

    assert {one["connected"] for one in states} == {False}
