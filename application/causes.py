"""The table of causes: code, title, why, what to do, who, retry rule, status, exit code."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from itertools import chain
from types import MappingProxyType


class RetryRule(StrEnum):
    """When something with this cause is tried again."""

    AUTO = "auto"  # a few attempts now, then by the next run
    PAUSE = "pause"  # the whole company rests; no attempt is counted
    SETTLE = "settle"  # looked up in QuickBooks first
    FIXED = "fixed"  # by a later run, once its check passes
    PERSON = "person"  # only when a person asks
    WAIT = "wait"  # when the condition ends; nothing is marked failed
    NONE = "none"  # the request itself must change


class Owner(StrEnum):
    """Who can mend it."""

    REGISTRY = "Registry"
    FINANCE = "Finance"
    ADMIN = "Admin"
    IT = "IT"
    NOBODY = "nobody"
    CALLER = "caller"


@dataclass(frozen=True, slots=True)
class Cause:
    """One entry; `{name}` in its texts is filled with a fact of the case."""

    code: str
    title: str
    why: str
    remedy: str
    owner: Owner
    retry: RetryRule
    http_status: int
    exit_code: int
    quickbooks_codes: str  # for the reader of the docs; nothing is decided by it


# One entry: its head (code, title, owner, retry rule, HTTP status, exit code), then, indented,
# why, what to do, and QuickBooks' codes where it has any. The first four titles of the guide
# (Customer not found, Invalid amount, QuickBooks API rate limit, Authentication failed) are its
# words and must not change.
_INVOICES = """
customer_not_found | Customer not found | Registry | fixed | 422 | 3
  The payer {reg_no} is not known to the MIS: {reason}.
  Add or correct the person in `tbl_personal_ug`; the next run takes the invoice up.
invalid_amount | Invalid amount | Finance | fixed | 422 | 3
  There is no amount to send: {reason}.
  Look at `dept` and `credit` in the MIS; put the invoice on hold if it is a reversal.
  2290; 6000 "0 or greater"
date_invalid | Invalid date | Finance | fixed | 422 | 3
  The invoice date in the MIS ({invoice_date}) is no day between 2000 and 2099.
  Enter the right `invoice_date` in the MIS. We never put another day in its place.
  2060, 2070
fee_category_unmapped | Fee category not mapped | Finance | fixed | 422 | 3
  No product is chosen for the fee {fee}, and no active one has its name: {reason}.
  Choose a product for it (`feebridge mapping set`), or name one like it in QuickBooks.
item_inactive | Product inactive in QuickBooks | Finance | fixed | 422 | 3
  QuickBooks will not use the product of the fee {fee}: it or its account is inactive or deleted.
  Make the product active again, or choose another one for the fee.
  610, 2500, 6430, 6440; 6000 "activate this item", "list element that has been deleted"
tax_code_needed | Tax code needed | Finance | fixed | 422 | 3
  The company charges tax, and QuickBooks wants a valid tax code on the line.
  Choose a tax code under Settings, Mapping.
  6100, 6160, 6170, 6230; 6000 "gst/hst rate", "vat rate", "sales tax code", +
  "do not have a tax code"
location_unmapped | Location not mapped | Finance | fixed | 422 | 3
  Locations are on, and no campus of the payer {reg_no} leads to one QuickBooks accepts.
  Map the campus under Settings, Mapping, or correct the enrolment in the MIS.
name_not_allowed | Registration number not usable as a name | Registry | fixed | 422 | 3
  The registration number {reg_no} cannot be a customer's name in QuickBooks: {reason}.
  Correct the registration number in the MIS.
period_closed | Books closed for that date | Finance | fixed | 422 | 3
  QuickBooks' books are closed for the date of the invoice ({invoice_date}).
  Reopen the period, or agree on another date in the MIS. We never change a date ourselves.
  6200, 6210
customer_inactive | Customer inactive in QuickBooks | Finance | person | 422 | 3
  The customer {reg_no} was made inactive or merged into another one.
  Make that customer active again in QuickBooks, then retry.
  6250; 610 and 2500 when they name a customer
duplicate_customer_name | Name already used in QuickBooks | Finance | person | 422 | 3
  The name {reg_no} already belongs to a vendor, an employee or another customer.
  Rename that entry in QuickBooks, then retry.
  6240, after a search that includes inactive ones
document_conflict | Number already used in QuickBooks | Finance | person | 422 | 3
  An invoice that is not ours stands under {number}: {differences}.
  Compare both, correct the wrong one, then check again. We changed nothing there.
  6140; 6210 when its text speaks of a duplicate number
currency_mismatch | Currency does not match | Finance | person | 422 | 3
  The company or the customer keeps its books in another currency.
  Check the home currency of the company and the currency of the customer.
  2220; 6000 "currency of the transaction"
feature_missing | Not part of your QuickBooks plan | Finance | person | 422 | 3
  Location, class or currency is switched off, or the plan does not include it.
  Switch that mapping off here, or take a plan that has it.
  5020, 5030
quickbooks_rejected | QuickBooks refused the invoice | Finance | fixed | 422 | 3
  QuickBooks applied a rule we have no name for; its own words stand beside this.
  Correct what they name (IT can help), and the next run takes the changed row up.
  620, 700, 800, 900, 2020-2050, 2080-2120, 2140-2210, 2230-2250, 2300, 2600, 6010, 6080, 6180, +
  6220, 6270-6310, 6420, 6450-6560; 6000 "cannot enter more than"
quickbooks_busy | QuickBooks is busy | nobody | auto | 422 | 3
  QuickBooks refused for a moment: maintenance, names being edited, or its tax engine.
  Nothing. It is tried again a few times now, and by the next run.
  140, 150, 4002; 6000 "exactly the same time", "one name at a time", "calculating tax"
outcome_unknown | Result unknown | nobody | settle | 422 | 3
  The answer was lost, or it was one we do not recognise: QuickBooks may hold the invoice.
  Nothing. We look for {number} there before anything is sent again.
  600, 630, 1000-1020, 5010, 10000; 6000 "accessing or saving", "unexpected internal error"; 5xx, +
  time-out, no JSON, missing bId, and any other answer
failed_elsewhere | Failed in another program | nobody | fixed | 422 | 3
  The row was marked failed, but not by Feebridge.
  Nothing, if its data is right: the next run looks for {number} first, and sends it if absent.
status_invalid | Status value not known | IT | fixed | 422 | 3
  `QuickBk_Status` holds something other than 0, 1, 2, 3 or nothing.
  Correct the row. It counts as failed and is never sent as it stands.
internal_error | Unexpected error | IT | person | 500 | 1
  Something went wrong inside Feebridge.
  Report the request id, with the file that `feebridge doctor --bundle FILE` writes.
  500 under HTTP 400, HTTP 413, 1040, 2000, 2010, 2130, 3202, 4000, 4001, 6070, 10100
"""

_CONDITIONS = """
quickbooks_rate_limited | QuickBooks API rate limit | nobody | pause | 429 | 6
  QuickBooks had too many requests from this company in a minute.
  Nothing; sending goes on at {until}. If it happens often: smaller batches, or more delay.
  HTTP 429; 3001 under any status
quickbooks_unavailable | QuickBooks not answering | nobody | wait | 503 | 6
  No connection to QuickBooks could be opened, so nothing was sent: {detail}.
  Nothing; it is tried again. If it stays: check the network of this machine.
  none: the connection was refused, or its name or certificate was not accepted
authentication_failed | Authentication failed | Admin | wait | 409 | 4
  The sign-in to QuickBooks is missing, has expired or was revoked ({reason}).
  Re-authenticate with QuickBooks: the Connection page, or `feebridge connect`.
  100, 110, 3200 after one renewal; invalid_grant
sign_in_refused | Sign-in not accepted | Admin | none | 400 | 4
  The answer to this sign-in was not taken: {problem}.
  Begin again: the Connection page, or `feebridge connect`.
permission_lost | QuickBooks access removed | Admin | wait | 409 | 4
  Whoever connected is no longer an administrator of the company.
  Connect again as an administrator of the company.
  120
company_inactive | QuickBooks subscription inactive | Finance | wait | 409 | 4
  The trial or the subscription of the company has ended.
  Renew it with Intuit; sending goes on by itself.
  6190, 7001
company_reset | QuickBooks company was reset | Admin | wait | 409 | 4
  Intuit emptied the company, so every id we hold points to nothing.
  Stop, compare both books, and only then bind the MIS anew.
  10200
wrong_environment | Keys and company do not match | IT | wait | 409 | 9
  The keys belong to the sandbox and the company does not, or the reverse, or they may not use it.
  Set `QUICKBOOKS_ENVIRONMENT` and the keys to the same side, then connect again.
  130, 3100; invalid_client
company_mismatch | Different QuickBooks company | Admin | wait | 409 | 9
  This MIS belongs to {company} ({environment}); nothing else may write into it.
  Connect that company, or bind the MIS to another one on purpose.
reads_used_up | QuickBooks reads used up | Admin | wait | 409 | 6
  The reads Intuit grants in a month are used up; what cannot be sent without a look waits.
  Wait until Intuit grants new ones, on the first of the month, or take a higher tier there.
  429 on reads only
mis_unavailable | MIS database not reachable | IT | wait | 503 | 5
  The MIS database does not answer: {detail}.
  Run `feebridge doctor`; it says whether network, password or server is at fault.
mis_permission | MIS user lacks a right | IT | wait | 503 | 9
  The database user of Feebridge misses a right: {right}.
  Have the MIS administrator run the GRANT line that `feebridge doctor` prints.
mis_schema | MIS table or column missing | IT | wait | 503 | 9
  The MIS has no usable {table}.{column}.
  Check `MIS_DATABASE_URL` and what changed in the MIS.
store_unavailable | Feebridge store not reachable | IT | wait | 503 | 1
  Our own database is full, locked or down ({detail}); without it nothing is sent.
  Free space or start its server, then run `feebridge doctor`.
config_invalid | Setting missing or wrong | IT | none | 503 | 9
  The setting {setting} cannot be used: {problem}.
  Put it right in the environment or in `.env`.
"""

_REQUESTS = """
run_active | Another run is active | caller | wait | 409 | 7
  One run at a time sends into a company, and another one ({run_id}) does now.
  Wait until it has finished, or open it.
invoice_in_progress | Invoice is being sent | caller | wait | 409 | 7
  The invoice is being sent or settled right now.
  Wait until {until}.
state_conflict | Not possible now | caller | none | 409 | 2
  It is {state}, and that does not allow this.
  Look at its present state first.
demo_not_now | The demo cannot do that now | caller | none | 409 | 2
  Nothing was done: {problem}.
  Do what is said there first, then start it again.
bad_request | Request not readable | caller | none | 400 | 2
  The request is no valid JSON, or a value has the wrong type: {problem}.
  Correct the request.
validation_failed | Validation failed | caller | none | 422 | 2
  The request can be read but asks for something that is not allowed: {problem}.
  Correct the fields that are named.
not_found | Not found | caller | none | 404 | 2
  Nothing here goes by that name, number or address.
  Check it; lists show what there is.
method_not_allowed | Method not allowed | caller | none | 405 | 2
  This address does not take that method.
  Use one that the `Allow` header lists.
unauthorized | Sign-in or API key needed | caller | none | 401 | 2
  The request carries neither a valid API key nor a sign-in.
  Send `Authorization: Bearer <key>`, or sign in.
forbidden | Not allowed for this role | caller | none | 403 | 2
  This needs the role {role}.
  Ask an administrator.
read_only | This server only answers questions | IT | none | 403 | 2
  It was started with `--read-only`, so it changes nothing for anybody.
  Use the server that sends, or start this one without `--read-only`.
cross_site | Request from another site refused | caller | none | 403 | 2
  The browser says that another site sent this.
  Start from a page of Feebridge itself.
form_expired | Form out of date | caller | none | 403 | 2
  The form was opened before somebody signed in here, or in another browser. Nothing was changed.
  Open the page again and repeat it.
host_refused | Host name not allowed | caller | none | 400 | 2
  The request names a host that is not on our list.
  Use a listed name, or have IT add this one.
idempotency_in_flight | Same request still running | caller | wait | 409 | 2
  The first request under this `Idempotency-Key` has not ended.
  Wait a few seconds and ask again.
idempotency_mismatch | Key used for another request | caller | none | 422 | 2
  This `Idempotency-Key` belongs to a request with another content.
  Use a new key.
too_large | Request too large | caller | none | 413 | 2
  The body is larger than 64 kB.
  Send less at a time.
unsupported_media_type | Body is not JSON | caller | none | 415 | 2
  The body is not declared as JSON (on a page: as a form).
  Send `Content-Type: application/json`.
rate_limited | Too many requests to Feebridge | caller | wait | 429 | 2
  Sign-ins are limited to 10 in 15 minutes, keys to 600 requests a minute.
  Wait as long as `Retry-After` says.
streams_full | Too many live views | caller | wait | 503 | 2
  All live views are taken.
  Ask now and then instead, or wait as long as `Retry-After` says.
"""

_FINDINGS = """
amount_differs | Amount differs | Finance | none | 200 | 8
  The amount in QuickBooks is no longer the one that was sent; a void counts as 0.
  Decide which is right, correct the other, then check again.
details_differ | Customer or date differs | Finance | none | 200 | 8
  The customer or the date in QuickBooks is no longer what was sent.
  Decide which is right, correct the other, then check again.
missing_in_quickbooks | Missing in QuickBooks | Finance | none | 200 | 8
  It was there, and somebody deleted it.
  Send it again as new, or accept it with a note.
duplicate_in_quickbooks | Twice in QuickBooks | Finance | none | 200 | 8
  Two live invoices carry this number.
  Void all but one in QuickBooks, then check again.
only_in_quickbooks | In QuickBooks, not in MIS | Finance | none | 200 | 8
  QuickBooks has a number of ours that the MIS does not know.
  Find out who entered it.
changed_after_sync | Changed after sync | Finance | none | 200 | 8
  Somebody edited the MIS row after it was sent.
  Put the row back, or correct QuickBooks, then check again.
unverified | Marked synced elsewhere | Finance | none | 200 | 8
  The row says synced, but Feebridge did not send it.
  `feebridge adopt --all` proves it, or shows where it disagrees.
custom_numbers_off | Custom transaction numbers are off | Finance | none | 200 | 8
  QuickBooks does not keep to our numbers, so it would not refuse a second invoice.
  QuickBooks, Account and settings, Sales: switch them on, and the warning on duplicates too.
"""


def _entries(table: str) -> Iterator[Cause]:
    for entry in re.split(r"\n(?=\S)", table.strip()):
        head, why, remedy, *codes = (line.strip() for line in entry.splitlines())
        code, title, owner, retry, http_status, exit_code = head.split(" | ")
        yield Cause(
            code=code,
            title=title,
            why=why,
            remedy=remedy,
            owner=Owner(owner),
            retry=RetryRule(retry),
            http_status=int(http_status),
            exit_code=int(exit_code),
            quickbooks_codes=" ".join(codes).replace(", + ", ", "),
        )


CAUSES: Mapping[str, Cause] = MappingProxyType(
    {
        one.code: one
        for one in chain.from_iterable(
            _entries(table) for table in (_INVOICES, _CONDITIONS, _REQUESTS, _FINDINGS)
        )
    }
)
