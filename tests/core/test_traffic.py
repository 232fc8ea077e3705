"""Counting what leaves for QuickBooks."""

import pytest

from application.catalogue import StoreUnavailable
from application.quickbooks.meter import HAND_ON_MS, Traffic


class TestTraffic:
    def test_is_handed_on_once(self) -> None:
        told: list[tuple[int, int]] = []
        traffic = Traffic(lambda requests, reads: told.append((requests, reads)))
        traffic.sent(read=True)
        traffic.sent(read=False)

        traffic.hand_on()
        traffic.hand_on()
        traffic.sent(read=True)
        traffic.hand_on()

        assert told == [(2, 1), (1, 1)]
        assert (traffic.requests, traffic.reads) == (3, 2)

    def test_waits_a_while_between(self) -> None:
        told: list[tuple[int, int]] = []
        traffic = Traffic(lambda requests, reads: told.append((requests, reads)))
        for at in (HAND_ON_MS, HAND_ON_MS + 1, 2 * HAND_ON_MS):
            traffic.sent(read=False)
            traffic.hand_on(at)

        assert told == [(1, 0), (2, 0)]

    def test_that_could_not_be_kept_is_kept_later(self) -> None:
        told: list[tuple[int, int]] = []
        away = [True]

        def keep(requests: int, reads: int) -> None:
            if away:
                away.clear()
                raise StoreUnavailable(detail="away")
            told.append((requests, reads))

        traffic = Traffic(keep)
        traffic.sent(read=True)
        with pytest.raises(StoreUnavailable):
            traffic.hand_on()
        traffic.hand_on()

        assert told == [(1, 1)]
