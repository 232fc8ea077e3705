"""What sending costs: requests and minutes at QuickBooks' limits."""

from application.services.costs import Cost, cost_of

PER_MINUTE = 40 * 30 + 460


def usual(count: int) -> Cost:
    return cost_of(count, bundles_a_minute=40, requests_a_minute=500)


class TestACost:
    def test_of_few_is_a_request_for_each(self) -> None:
        assert usual(10) == Cost(requests=10, minutes=1, per_minute=PER_MINUTE)

    def test_of_nothing_is_no_request(self) -> None:
        assert usual(0).requests == 0

    def test_of_a_full_minute_is_every_request_of_it(self) -> None:
        assert usual(PER_MINUTE) == Cost(requests=500, minutes=1, per_minute=PER_MINUTE)

    def test_of_one_more_is_two_minutes(self) -> None:
        assert usual(PER_MINUTE + 1).minutes == 2

    def test_of_small_batches_is_higher(self) -> None:
        small = cost_of(1_000, bundles_a_minute=40, requests_a_minute=500, batch_size=10)

        assert small.requests > usual(1_000).requests
        assert small.per_minute == 40 * 10 + 460
