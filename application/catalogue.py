"""Every cause: code, title, why, what to do, who, retry rule, status, exit code; Stop."""

from typing import ClassVar


class Stop(Exception):
    """What stops a run; below it stands one class for each condition of the installation.

    Args:
        facts: What fills the braces of the cause's texts, by name.
    """

    cause: ClassVar[str]

    def __init__(self, **facts: object) -> None:
        super().__init__(self.cause, facts)
        self.facts = facts


class RealmBusy(Stop):
    """Another sender holds the lease of this company. Facts: run_id, until, holder."""

    cause = "run_active"


class LeaseLost(Stop):
    """Our lease ended while we were at work; nothing more may be sent. Facts: epoch."""

    cause = "run_active"


class MisUnavailable(Stop):
    """The MIS database does not answer. Facts: detail."""

    cause = "mis_unavailable"


class MisPermission(Stop):
    """The MIS user lacks a right. Facts: right, grant."""

    cause = "mis_permission"


class MisSchema(Stop):
    """The MIS lacks a table or column, or it has a type we cannot trust. Facts: table, column."""

    cause = "mis_schema"


class StoreUnavailable(Stop):
    """Our own database does not answer or cannot be written. Facts: detail."""

    cause = "store_unavailable"


class ConfigInvalid(Stop):
    """A setting is missing or wrong. Facts: setting, problem."""

    cause = "config_invalid"


class NotConnected(Stop):
    """QuickBooks' sign-in is missing, expired or revoked. Facts: since, reason."""

    cause = "authentication_failed"


class RateLimited(Stop):
    """QuickBooks asked us to wait, and waiting is over the bound. Facts: until."""

    cause = "quickbooks_rate_limited"


class QuickBooksUnavailable(Stop):
    """No connection to QuickBooks could be opened; nothing was sent. Facts: detail."""

    cause = "quickbooks_unavailable"


class PermissionLost(Stop):
    """The person who connected may no longer do so. Facts: none."""

    cause = "permission_lost"


class CompanyInactive(Stop):
    """The QuickBooks subscription ended. Facts: none."""

    cause = "company_inactive"


class CompanyReset(Stop):
    """Intuit wiped the company; every id we know is void. Facts: none."""

    cause = "company_reset"


class WrongEnvironment(Stop):
    """Keys and company belong to different environments. Facts: detail."""

    cause = "wrong_environment"


class CompanyMismatch(Stop):
    """This MIS is bound to another company. Facts: company, environment."""

    cause = "company_mismatch"


class ReadsUsedUp(Stop):
    """Intuit's monthly reads are spent. Facts: until."""

    cause = "reads_used_up"
