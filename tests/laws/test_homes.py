"""A library in two homes is upgraded in one and breaks in the other.

Every runtime dependency, and what stands where its driver would, is named in contract 14, so a new
one has to say where it lives. It cannot see a library that another library loads by name.
"""

from typing import Any

from tests.laws.reading import settings_of_the_house
from tests.laws.test_lock import named

CONTRACT = "14 Every library has one home"


def homeless(project: dict[str, Any]) -> set[str]:
    """Return the runtime dependencies contract 14 does not name."""
    contracts = project["tool"]["importlinter"]["contracts"]
    known = next(each["forbidden_modules"] for each in contracts if each["name"] == CONTRACT)
    asked = {named(each).replace("-", "_") for each in project["project"]["dependencies"]}
    return asked - set(known)


class TestLibraries:
    def test_all_stand_in_contract_14(self) -> None:
        assert homeless(settings_of_the_house()) == set()

    def test_are_missed_when_they_do_not(self) -> None:
        planted = settings_of_the_house()
        planted["project"]["dependencies"].append("left-pad[all]>=1,<2")

        assert homeless(planted) == {"left_pad"}
