"""One QuickBooks for the proofs of a module; what stands in it is forgotten between two homes."""

from collections.abc import Iterator

import pytest

from tests.proof.children import end_all
from tests.proof.places import Town, town


@pytest.fixture(scope="module")
def quickbooks(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Town]:
    """Return the town whose homes a module's tests live in."""
    with town(tmp_path_factory.mktemp("town")) as found:
        yield found


@pytest.fixture(autouse=True)
def _nobody_left() -> Iterator[None]:
    yield
    end_all()
