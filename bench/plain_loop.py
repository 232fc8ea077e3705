"""A plain loop over python-quickbooks doing the same work: customer, product known, invoice.

    plain_loop.py ADDRESS COMPANY CLIENT_ID CLIENT_SECRET INVOICES

It reads the MIS as ours does and marks each row, and it has no journal, no request id, no proof.
Prints the invoices and the seconds of its loop; reading the products comes before them.
"""

import json
import os
import sys
import time
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pymysql
import requests
import sqlalchemy as sql
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from quickbooks import QuickBooks
from quickbooks.objects.base import EmailAddress, PhoneNumber, Ref
from quickbooks.objects.customer import Customer
from quickbooks.objects.detailline import SalesItemLine, SalesItemLineDetail
from quickbooks.objects.invoice import Invoice
from quickbooks.objects.item import Item

CALLBACK = "http://localhost:5000/callback"
ROWS = sql.text(
    "SELECT i.id, i.reg_no, i.dept, i.invoice_date, i.comment, f.name, f.description,"
    " s.fname, s.middlename, s.lname, s.email1, s.phone1"
    " FROM tbl_imvoice i JOIN tbl_income_category f ON f.id = i.fee_category"
    " JOIN tbl_personal_ug s ON s.reg_no = i.reg_no"
    " WHERE i.QuickBk_Status = 0 ORDER BY i.id LIMIT :most"
)
MARK = sql.text("UPDATE tbl_imvoice SET QuickBk_Status = 1, pushed_by = 'loop' WHERE id = :id")


def connected(address: str, company: str, client_id: str, secret: str) -> QuickBooks:
    """Return a client that is signed in."""
    os.environ["OAUTHLIB_INSECURE_TRANSPORT"] = "1"  # noqa: TID251 - the foreign client reads it there
    auth = AuthClient(
        client_id,
        secret,
        CALLBACK,
        environment=f"{address}/.well-known/openid_configuration/",
    )
    asked = auth.get_authorization_url([Scopes.ACCOUNTING], state_token="s-1")  # noqa: S106 - not a secret, the client calls it so
    answer = requests.get(asked + "&auto=approve", allow_redirects=False, timeout=20)
    values = parse_qs(urlsplit(answer.headers["Location"]).query)
    auth.get_bearer_token(values["code"][0], realm_id=company)
    QuickBooks.api_url_v3 = QuickBooks.sandbox_api_url_v3 = f"{address}/v3"
    return QuickBooks(
        auth_client=auth, refresh_token=auth.refresh_token, company_id=company, minorversion=75
    )


def rows_of(engine: sql.Engine, *, most: int) -> Iterator[sql.RowMapping]:
    """Yield what is to be sent."""
    with engine.connect() as link:
        yield from link.execute(ROWS, {"most": most}).mappings().all()


def customer_of(row: sql.RowMapping, *, books: QuickBooks) -> str:
    """Create the payer's customer and return its id."""
    customer = Customer()
    customer.DisplayName = row["reg_no"]
    customer.GivenName = row["fname"]
    customer.MiddleName = row["middlename"] or ""
    customer.FamilyName = row["lname"]
    customer.PrintOnCheckName = " ".join(filter(None, (row["fname"], row["lname"])))
    if row["email1"]:
        customer.PrimaryEmailAddr = EmailAddress()
        customer.PrimaryEmailAddr.Address = row["email1"]
    if row["phone1"]:
        customer.PrimaryPhone = PhoneNumber()
        customer.PrimaryPhone.FreeFormNumber = row["phone1"]
    customer.save(qb=books)
    return str(customer.Id)


def send(row: sql.RowMapping, *, customer: str, item: str, books: QuickBooks) -> str:
    """Create one invoice and return its id."""
    line = SalesItemLine()
    line.Amount = float(row["dept"])
    line.Description = row["description"]
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.ItemRef = _ref(item)
    invoice = Invoice()
    invoice.DocNumber = f"MIS-{row['id']}"
    invoice.TxnDate = str(row["invoice_date"])[:10]
    invoice.CustomerRef = _ref(customer)
    invoice.PrivateNote = row["comment"] or ""
    invoice.Line = [line]
    invoice.save(qb=books)
    return str(invoice.Id)


def _ref(value: str) -> Ref:
    ref = Ref()
    ref.value = value
    return ref


def main() -> None:
    """Do the work and say how long it took."""
    address, company, client_id, secret, most = sys.argv[1:]
    url = os.environ["MIS_DATABASE_URL"]  # noqa: TID251 - a program of its own
    engine = sql.create_engine(
        url.replace("mysql:", f"mysql+{pymysql.__name__}:", 1), isolation_level="AUTOCOMMIT"
    )
    books = connected(address, company, client_id, secret)
    items = {one.Name: str(one.Id) for one in Item.all(qb=books, max_results=1000)}
    customers: dict[str, str] = {}
    begun_s, begun_cpu_s, count = time.perf_counter(), time.process_time(), 0
    with engine.connect() as marks:
        for row in rows_of(engine, most=int(most)):
            payer = row["reg_no"]
            if payer not in customers:
                customers[payer] = customer_of(row, books=books)
            send(row, customer=customers[payer], item=items[row["name"]], books=books)
            marks.execute(MARK, {"id": row["id"]})
            count += 1
    took_s, cpu_s = time.perf_counter() - begun_s, time.process_time() - begun_cpu_s
    sys.stdout.write(json.dumps({"invoices": count, "seconds": took_s, "cpu_s": cpu_s}))


if __name__ == "__main__":
    main()
