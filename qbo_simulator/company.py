"""A company as it is opened: CompanyInfo, Preferences, its first accounts and terms."""

from copy import deepcopy
from typing import Final

from qbo_simulator.books import Books
from qbo_simulator.codec import Thing
from qbo_simulator.keeping import Keeper

REALM_ID: Final = "9130347001122334"
ADDRESS: Final = {
    "Id": "1",
    "Line1": "KG 544 Street 12",
    "City": "Kigali",
    "Country": "RWA",
    "PostalCode": "00000",
}
CURRENCY_NAMES: Final = {
    "RWF": "Rwandan Franc",
    "USD": "United States Dollar",
    "EUR": "Euro",
    "GBP": "British Pound Sterling",
    "UGX": "Ugandan Shilling",
    "KES": "Kenyan Shilling",
}
FIRST_ACCOUNTS: Final = (
    ("Tuition Income", "Income", "ServiceFeeIncome", "Revenue"),
    ("Accounts Receivable (A/R)", "Accounts Receivable", "AccountsReceivable", "Asset"),
    ("Undeposited Funds", "Other Current Asset", "UndepositedFunds", "Asset"),
    ("Bank of Kigali", "Bank", "Checking", "Asset"),
)
PREFERENCES: Final[Thing] = {
    "AccountingInfoPrefs": {
        "FirstMonthOfFiscalYear": "January",
        "UseAccountNumbers": False,
        "TaxYearMonth": "January",
        "ClassTrackingPerTxn": False,
        "ClassTrackingPerTxnLine": False,
        "TrackDepartments": False,
        "TaxForm": "6",
        "CustomerTerminology": "Customers",
        "DepartmentTerminology": "Location",
        "BookCloseDate": "2021-12-31",
    },
    "ProductAndServicesPrefs": {"ForSales": True, "ForPurchase": False},
    "SalesFormsPrefs": {
        "CustomTxnNumbers": True,
        "AutoApplyCredit": False,
        "AutoApplyPayments": False,
        "AllowDeposit": False,
        "AllowDiscount": False,
        "AllowEstimates": True,
        "AllowServiceDate": False,
        "AllowShipping": False,
        "DefaultTerms": {"value": "1"},
        "DefaultCustomerMessage": "Thank you.",
    },
    "EmailMessagesPrefs": {},
    "VendorAndPurchasesPrefs": {"BillableExpenseTracking": False},
    "TimeTrackingPrefs": {"UseServices": False},
    "TaxPrefs": {"UsingSalesTax": False, "PartnerTaxEnabled": False},
    "CurrencyPrefs": {"MultiCurrencyEnabled": False, "HomeCurrency": {"value": "RWF"}},
    "OtherPrefs": {
        "NameValue": [
            {"Name": "SalesFormsPrefs.DefaultCustomerMessage", "Value": "Thank you."},
            {"Name": "SalesFormsPrefs.DefaultItem", "Value": "1"},
        ]
    },
    "domain": "QBO",
    "sparse": False,
    "Id": "1",
    "SyncToken": "3",
    "MetaData": {
        "CreateTime": "2019-01-01T08:00:00-08:00",
        "LastUpdatedTime": "2026-01-05T08:00:00-08:00",
    },
}


def opened(realm_id: str, *, keeper: Keeper, name: str, environment: str) -> Books:
    """Return the books of a company on its first day."""
    return Books(
        realm_id=realm_id,
        company=_company(name),
        preferences=deepcopy(PREFERENCES),
        keeper=keeper,
        environment=environment,
    )


def currency_ref(code: str) -> Thing:
    """Return the reference to a currency, with the name QuickBooks adds."""
    return {"value": code, "name": CURRENCY_NAMES.get(code, code)}


def _company(name: str) -> Thing:
    return {
        "CompanyName": name,
        "LegalName": name,
        "CompanyAddr": dict(ADDRESS),
        "CustomerCommunicationAddr": dict(ADDRESS),
        "LegalAddr": dict(ADDRESS),
        "PrimaryPhone": {"FreeFormNumber": "+250 788 000 000"},
        "CompanyStartDate": "2019-01-01",
        "FiscalYearStartMonth": "January",
        "Country": "RW",
        "Email": {"Address": "finance@demo-university.example"},
        "WebAddr": {},
        "SupportedLanguages": "en",
        "NameValue": [
            {"Name": "NeoEnabled", "Value": "true"},
            {"Name": "SubscriptionStatus", "Value": "SUBSCRIBED"},
            {"Name": "OfferingSku", "Value": "QuickBooks Online Plus"},
            {"Name": "CompanyType", "Value": "Other"},
        ],
        "domain": "QBO",
        "sparse": False,
        "Id": "1",
        "SyncToken": "5",
        "MetaData": {
            "CreateTime": "2019-01-01T08:00:00-08:00",
            "LastUpdatedTime": "2026-01-05T08:00:00-08:00",
        },
    }
