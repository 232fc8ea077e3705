"""The property tables: one shape for each entity the simulator keeps."""

from dataclasses import dataclass
from typing import Final

from qbo_simulator.shapes import Field, Shape

NAME_FORBIDS: Final = ":\t\n"

REF: Final = Field("ref")
FLAG: Final = Field("flag")
DATE: Final = Field("date")
NUMBER: Final = Field("number")
COMPUTED: Final = Field("computed")
ANY: Final = Field("any")


def text(longest: int = 0, *, forbidden: str = "") -> Field:
    """A text of at most so many characters; 0 is no limit."""
    return Field("text", longest=longest, forbidden=forbidden)


def one(shape: Shape) -> Field:
    """An object with its own table."""
    return Field("one", shape=shape)


def many(shape: Shape) -> Field:
    """A list of such objects."""
    return Field("many", shape=shape)


def choice(*allowed: str) -> Field:
    """One of these words."""
    return Field("choice", choices=allowed)


HEAD: Final[Shape] = {
    "Id": ANY,
    "SyncToken": ANY,
    "sparse": ANY,
    "domain": ANY,
    "status": ANY,
    "MetaData": COMPUTED,
}
ADDRESS: Final = one(
    {
        "Id": COMPUTED,
        **{f"Line{number}": text(500) for number in range(1, 6)},
        "City": text(255),
        "Country": text(255),
        "CountryCode": text(255),
        "CountrySubDivisionCode": text(255),
        "PostalCode": text(30),
        "Lat": COMPUTED,
        "Long": COMPUTED,
        "Note": text(),
        "Tag": text(),
    }
)
EMAIL: Final = one({"Address": Field("email", longest=100), "Default": ANY, "Tag": ANY})
PHONE: Final = one({"FreeFormNumber": Field("phone", longest=30), "Default": ANY, "Tag": ANY})
WEB: Final = one({"URI": Field("web", longest=1000), "Default": ANY, "Tag": ANY})
CUSTOM_FIELDS: Final = many(
    {"DefinitionId": text(), "Name": text(), "Type": text(), "StringValue": text(31)}
)
LINKS: Final = many({"TxnId": ANY, "TxnType": ANY, "TxnLineId": ANY})
TAX_DETAIL: Final = one(
    {
        "TxnTaxCodeRef": REF,
        "TotalTax": NUMBER,
        "TaxLine": many(
            {
                "DetailType": text(),
                "Amount": NUMBER,
                "TaxLineDetail": one(
                    {
                        "NetAmountTaxable": NUMBER,
                        "TaxPercent": NUMBER,
                        "TaxRateRef": REF,
                        "PercentBased": FLAG,
                        "OverrideDeltaAmount": NUMBER,
                        "TaxInclusiveAmount": NUMBER,
                    }
                ),
            }
        ),
    }
)
SALES_DETAIL: Final = one(
    {
        "ItemRef": REF,
        "ClassRef": REF,
        "TaxCodeRef": REF,
        "Qty": NUMBER,
        "UnitPrice": NUMBER,
        "RatePercent": NUMBER,
        "ServiceDate": DATE,
        "TaxInclusiveAmt": NUMBER,
        "PriceLevelRef": REF,
        "MarkupInfo": ANY,
        "ItemAccountRef": REF,
        "DiscountAmt": NUMBER,
        "DiscountRate": NUMBER,
        "TaxClassificationRef": REF,
    }
)
LINE: Final[Shape] = {
    "Id": ANY,
    "LineNum": ANY,
    "Description": text(4000),
    "Amount": NUMBER,
    "DetailType": ANY,
    "SalesItemLineDetail": SALES_DETAIL,
    "DiscountLineDetail": one(
        {
            "PercentBased": FLAG,
            "DiscountPercent": NUMBER,
            "DiscountAccountRef": REF,
            "ClassRef": REF,
            "TaxCodeRef": REF,
            "Discount": ANY,
        }
    ),
    "DescriptionLineDetail": ANY,
    "GroupLineDetail": ANY,
    "SubTotalLineDetail": ANY,
    "SubtotalLineDetail": ANY,
    "LinkedTxn": LINKS,
    "CustomField": CUSTOM_FIELDS,
    "CustomExtensions": ANY,
}
INVOICE: Final[Shape] = {
    **HEAD,
    "DocNumber": text(),  # its limit has two published texts; invoices.py words the refusal
    "TxnDate": DATE,
    "CustomerRef": REF,
    "Line": many(LINE),
    "PrivateNote": text(4000),
    "CustomerMemo": one({"value": text(1000), "id": ANY}),
    "DueDate": DATE,
    "SalesTermRef": REF,
    "CurrencyRef": REF,
    "ExchangeRate": NUMBER,
    "GlobalTaxCalculation": choice("TaxExcluded", "TaxInclusive", "NotApplicable"),
    "DepartmentRef": REF,
    "ClassRef": REF,
    "BillEmail": EMAIL,
    "BillEmailCc": EMAIL,
    "BillEmailBcc": EMAIL,
    "EmailStatus": choice("NotSet", "NeedToSend", "EmailSent"),
    "PrintStatus": choice("NotSet", "NeedToPrint", "PrintComplete"),
    "BillAddr": ADDRESS,
    "ShipAddr": ADDRESS,
    "ShipFromAddr": ADDRESS,
    "LinkedTxn": LINKS,
    "CustomField": CUSTOM_FIELDS,
    "TxnTaxDetail": TAX_DETAIL,
    "Deposit": NUMBER,
    "DepositToAccountRef": REF,
    "ApplyTaxAfterDiscount": FLAG,
    "ShipDate": DATE,
    "TrackingNum": text(31),
    "ShipMethodRef": REF,
    "AllowIPNPayment": FLAG,
    "AllowOnlinePayment": FLAG,
    "AllowOnlineCreditCardPayment": FLAG,
    "AllowOnlineACHPayment": FLAG,
    "DeliveryInfo": ANY,
    "RecurDataRef": REF,
    "TaxExemptionRef": REF,
    "EInvoiceStatus": ANY,
    "TxnSource": ANY,
    "FreeFormAddress": FLAG,
    "InvoiceLink": COMPUTED,
    "TotalAmt": COMPUTED,
    "Balance": COMPUTED,
    "HomeBalance": COMPUTED,
    "HomeTotalAmt": COMPUTED,
    "ReimburseCharge": ANY,
    "TxnStatus": ANY,
}
PERSON: Final[Shape] = {
    **HEAD,
    "DisplayName": text(500, forbidden=NAME_FORBIDS),
    "Title": text(16),
    "GivenName": text(100, forbidden=NAME_FORBIDS),
    "MiddleName": text(100, forbidden=NAME_FORBIDS),
    "FamilyName": text(100, forbidden=NAME_FORBIDS),
    "Suffix": text(16),
    "CompanyName": text(100),
    "PrintOnCheckName": text(110),
    "FullyQualifiedName": COMPUTED,
    "Active": FLAG,
    "PrimaryEmailAddr": EMAIL,
    "PrimaryPhone": PHONE,
    "AlternatePhone": PHONE,
    "Mobile": PHONE,
    "Fax": PHONE,
    "WebAddr": WEB,
    "BillAddr": ADDRESS,
    "ShipAddr": ADDRESS,
    "CurrencyRef": REF,
    "Balance": COMPUTED,
    "BillRate": NUMBER,
    "CustomField": CUSTOM_FIELDS,
}
CUSTOMER: Final[Shape] = {
    **PERSON,
    "Notes": text(2000),
    "ResaleNum": text(16),
    "ParentRef": REF,
    "Job": FLAG,
    "BillWithParent": FLAG,
    "IsProject": FLAG,
    "Taxable": FLAG,
    "Level": COMPUTED,
    "BalanceWithJobs": COMPUTED,
    "PreferredDeliveryMethod": choice("Print", "Email", "None"),
    "SalesTermRef": REF,
    "PaymentMethodRef": REF,
    "DefaultTaxCodeRef": REF,
    "ARAccountRef": REF,
    "CustomerTypeRef": REF,
    "OpenBalanceDate": DATE,
    "PrimaryTaxIdentifier": text(20),
    "SecondaryTaxIdentifier": text(20),
    "TaxExemptionReasonId": ANY,
    "ClientEntityId": ANY,
    "V4IDPseudonym": COMPUTED,
}
VENDOR: Final[Shape] = {
    **PERSON,
    "TaxIdentifier": text(20),
    "AcctNum": text(100),
    "Vendor1099": FLAG,
    "TaxReportingBasis": text(),
    "TermRef": REF,
    "APAccountRef": REF,
    "OtherContactInfo": ANY,
}
EMPLOYEE: Final[Shape] = {
    **PERSON,
    "SSN": text(100),
    "EmployeeNumber": text(100),
    "CostRate": NUMBER,
    "BirthDate": DATE,
    "Gender": text(),
    "HiredDate": DATE,
    "ReleasedDate": DATE,
    "Organization": FLAG,
    "BillableTime": FLAG,
    "PrimaryAddr": ADDRESS,
    "EmailAddress": ANY,
}
NAMED: Final[Shape] = {
    **HEAD,
    "Name": text(100, forbidden=NAME_FORBIDS),
    "Active": FLAG,
    "FullyQualifiedName": COMPUTED,
    "ParentRef": REF,
}
ITEM: Final[Shape] = {
    **NAMED,
    "Description": text(4000),
    "Type": choice("Service", "NonInventory", "Inventory", "Category", "Group", "Bundle"),
    "UnitPrice": NUMBER,
    "PurchaseCost": NUMBER,
    "PurchaseDesc": text(1000),
    "IncomeAccountRef": REF,
    "ExpenseAccountRef": REF,
    "AssetAccountRef": REF,
    "SalesTaxCodeRef": REF,
    "PurchaseTaxCodeRef": REF,
    "PrefVendorRef": REF,
    "ClassRef": REF,
    "Taxable": FLAG,
    "SalesTaxIncluded": FLAG,
    "PurchaseTaxIncluded": FLAG,
    "TrackQtyOnHand": FLAG,
    "QtyOnHand": NUMBER,
    "InvStartDate": DATE,
    "ReorderPoint": NUMBER,
    "SubItem": FLAG,
    "Level": COMPUTED,
    "Sku": text(100),
    "AbatementRate": NUMBER,
    "ReverseChargeRate": NUMBER,
    "ServiceType": text(),
    "ItemCategoryType": text(),
    "TaxClassificationRef": REF,
}
ACCOUNT: Final[Shape] = {
    **NAMED,
    "Name": text(100, forbidden='":\t\n'),
    "AccountType": text(),
    "AccountSubType": text(),
    "AcctNum": text(20),
    "Description": text(4000),
    "Classification": COMPUTED,
    "CurrentBalance": COMPUTED,
    "CurrentBalanceWithSubAccounts": COMPUTED,
    "CurrencyRef": REF,
    "SubAccount": FLAG,
    "TaxCodeRef": REF,
}
DEPARTMENT: Final[Shape] = {**NAMED, "SubDepartment": FLAG, "Address": ADDRESS}
CLASS: Final[Shape] = {**NAMED, "SubClass": FLAG}
TERM: Final[Shape] = {
    **NAMED,
    "Type": COMPUTED,
    "DueDays": NUMBER,
    "DiscountDays": NUMBER,
    "DiscountPercent": NUMBER,
    "DayOfMonthDue": NUMBER,
    "DueNextMonthDays": NUMBER,
    "DiscountDayOfMonth": NUMBER,
}


@dataclass(frozen=True, slots=True)
class Kind:
    """What the routes need to know of one entity."""

    entity: str
    shape: Shape
    sequence: str
    name_property: str = "Name"
    transaction: bool = False
    written_by_api: bool = True

    @property
    def path(self) -> str:
        """The entity as it stands in an address."""
        return self.entity.lower()


KINDS: Final = {
    kind.entity: kind
    for kind in (
        Kind("Invoice", INVOICE, "transactions", name_property="", transaction=True),
        Kind("Customer", CUSTOMER, "names", name_property="DisplayName"),
        Kind("Vendor", VENDOR, "names", name_property="DisplayName"),
        Kind("Employee", EMPLOYEE, "names", name_property="DisplayName"),
        Kind("Item", ITEM, "items"),
        Kind("Account", ACCOUNT, "accounts"),
        Kind("Department", DEPARTMENT, "departments"),
        Kind("Class", CLASS, "classes"),
        Kind("Term", TERM, "terms"),
        Kind("TaxCode", {**NAMED, "Taxable": FLAG}, "tax codes", written_by_api=False),
        Kind("TaxRate", {**NAMED, "RateValue": NUMBER}, "tax rates", written_by_api=False),
    )
}
BY_PATH: Final = {kind.path: kind for kind in KINDS.values()}
PEOPLE: Final = ("Customer", "Vendor", "Employee")
# QuickBooks has these too; the simulator answers queries for them with nothing.
EMPTY_ENTITIES: Final = frozenset(
    {
        "Bill", "BillPayment", "CreditMemo", "Estimate", "JournalEntry", "Payment",
        "PaymentMethod", "Purchase", "RefundReceipt", "SalesReceipt", "Deposit", "Transfer",
    }
)  # fmt: skip
