"""Every refusal in QuickBooks' words: code, message, detail, element."""

from qbo_simulator.codec import Thing

INACTIVE = (
    "Something you're trying to use has been made inactive. "
    "Check the fields with accounts, customers, items, vendors or employees."
)
UNEXPECTED = (
    "An unexpected error occurred while accessing or saving your data. "
    "Please wait a few minutes and try again."
)
CLOSED = (
    "The account period has closed and the account books cannot be updated through through the "
    "QBO Services API.  Please use the QBO website to make these changes."
)
LAPSED = (
    "Subscription period has ended or canceled or there was a billing problem : You can't add "
    "data to QuickBooks Online Plus because your trial or subscription period ended. To "
    "reactivate, subscribe again."
)
BUSINESS = "A business validation error has occurred while processing your request"


class Refusal(Exception):
    """QuickBooks says no; nothing of the request was kept."""

    def __init__(  # the parts of one published error entry, all optional but two
        self,
        code: str,
        message: str,
        detail: str = "",
        *,
        element: str | None = None,
        status: int = 400,
        fault_type: str = "ValidationFault",
    ) -> None:
        super().__init__(f"{code} {message}")
        self.code = code
        self.message = message
        self.detail = detail
        self.element = element
        self.status = status
        self.fault_type = fault_type

    def fault(self) -> Thing:
        """Return the `Fault` object of the answer."""
        error: Thing = {"Message": self.message, "Detail": self.detail, "code": self.code}
        if self.element is not None:
            error["element"] = self.element
        return {"Error": [error], "type": self.fault_type}


def unsupported(what: str) -> Refusal:
    """Code 500, which travels under HTTP 400."""
    return Refusal("500", "Unsupported Operation", f"Operation {what} is not supported.")


def no_resource(path: str) -> Refusal:
    """An address that does not exist."""
    return unsupported(
        f"Could not find resource for relative : {path} of full path: "
        f"https://simulator.qbo.intuit.com{path}"
    )


def bad_property(name: str, *, entity: str, known: list[str]) -> Refusal:
    """A property this entity does not have, or has under another case."""
    some = ", ".join(f'"{one}"' for one in known[:12])
    return Refusal(
        "2010",
        "Request has invalid or unsupported property",
        f'Property Name:Unrecognized field "{name}" (class com.intuit.schema.finance.v3.{entity}),'
        f" not marked as ignorable ({len(known)} known properties: {some} [truncated]])\n "
        "specified is unsupported or invalid",
    )


def malformed(why: str) -> Refusal:
    """A body that is no JSON object, or not UTF-8."""
    return Refusal(
        "2010",
        "Request has invalid or unsupported property",
        f"Property Name:{why} specified is unsupported or invalid",
    )


def missing(parameter: str) -> Refusal:
    """A required parameter is not there."""
    return Refusal(
        "2020",
        "Required param missing, need to supply the required value for the API",
        f"Required parameter {parameter} is missing in the request",
        element=parameter,
    )


def too_long(element: str, *, longest: int, supplied: int) -> Refusal:
    """A text above its limit."""
    return Refusal(
        "2050",
        "String length is either shorter or longer than supported by specification",
        "String length specified does not match the supported length. "
        f"Min:0 Max:{longest} supported. Supplied length:{supplied}",
        element=element,
    )


def business(text: str, *, element: str | None = "") -> Refusal:
    """A 6000, the bag of all business rules."""
    return Refusal("6000", BUSINESS, f"Business Validation Error: {text}", element=element)


def unexpected() -> Refusal:
    """The 6000 after which nobody knows whether anything was saved."""
    return Refusal("6000", UNEXPECTED, UNEXPECTED, element="")


def invalid_reference(what: str, *, element: str | None = None) -> Refusal:
    """A reference to nothing."""
    return Refusal(
        "2500", "Invalid Reference Id", f"Invalid Reference Id : {what}", element=element
    )


def not_found(detail: str = INACTIVE) -> Refusal:
    """610: gone, inactive or never there."""
    return Refusal("610", "Object Not Found", f"Object Not Found : {detail}", element="")


def stale(entity: str) -> Refusal:
    """A SyncToken that is not the newest."""
    return Refusal(
        "5010",
        "Stale Object Error",
        "Stale Object Error : You and Diane Mukamana were working on this at the same time. "
        "Diane Mukamana finished before you did, so your work was not saved. "
        f"Entity={entity}",
        element="",
    )


def duplicate_number(number: str, *, txn_type: str, txn_id: int) -> Refusal:
    """6140: the document number is taken."""
    text = "Duplicate Document Number Error"
    return Refusal(
        "6140",
        text,
        f"{text} : You must specify a different number. This number has already been used. "
        f"DocNumber={number} is assigned to TxnType={txn_type} with TxnId={txn_id}",
        element="",
    )


def duplicate_name(holder_id: int, *, turn: int) -> Refusal:
    """6240 in one of the five published wordings, taken in turn."""
    wordings = (
        ("Duplicate Name Exists Error", f"The name supplied already exists. : Id={holder_id}", ""),
        ("Duplicate Name Exists Error", "The name supplied already exists. : null", None),
        (
            "Duplicate Name Exists Error",
            (
                "The name supplied already exists. : Another customer, vendor or employee is "
                "already using this \nname. Please use a different name."
            ),
            "",
        ),
        (
            "Duplicate Name Exists Error",
            (
                "The name supplied already exists. : Another $$customer$$ is already using this "
                "name. Please use a different name."
            ),
            "",
        ),
        ("Nom en double", f"Ce nom existe déjà. : Id={holder_id}", ""),
    )
    message, detail, element = wordings[turn % len(wordings)]
    return Refusal("6240", message, detail, element=element)


def closed_books() -> Refusal:
    """6210: the date lies in a closed period."""
    return Refusal(
        "6210", "Account Period Closed, Cannot Update Through Services API", CLOSED, element=""
    )


def lapsed_company() -> Refusal:
    """6190: the company does not pay Intuit any more; reading goes on."""
    return Refusal("6190", "Invalid Company Status", LAPSED, element="")


def query_syntax(detail: str) -> Refusal:
    """4000: the statement does not parse."""
    return Refusal("4000", "Error parsing query", f"QueryParserError: {detail}")


def query_invalid(detail: str) -> Refusal:
    """4001: the statement parses and means nothing."""
    return Refusal("4001", "Invalid query", f"QueryValidationError: {detail}")


def long_request_id(given: str) -> Refusal:
    """An id above 50 characters, bId included."""
    return business(
        "You cannot enter more than 50 characters in the request_id field. "
        f"You tried entering {given[:10]}..., which is {len(given)} characters."
    )
