"""What somebody may do."""

from enum import StrEnum


class Role(StrEnum):
    """What somebody may do; each may do all that the one before may."""

    VIEWER = "viewer"
    OFFICER = "officer"
    ADMIN = "admin"

    def covers(self, other: "Role") -> bool:
        """Return whether this role may do what the other one may."""
        order = list(Role)
        return order.index(self) >= order.index(other)
