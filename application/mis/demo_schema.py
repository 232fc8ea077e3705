"""The tables of the MIS as its makers built them, oddities included."""

from collections.abc import Iterator
from typing import Final

MARKER: Final = "feebridge_demo"  # only a MIS made here may be dropped here
DROP: Final = "DROP TABLE IF EXISTS {table}"
TABLES: Final = (
    "tbl_imvoice",
    "tbl_personal_ug",
    "tbl_online_application",
    "tbl_income_category",
    "tbl_campus",
    "tbl_register_program_ug",
    MARKER,
)
# Added by an earlier program from 2025 on; a MIS may lack them.
_LATER: Final = (
    ", quickbooks_id varchar(255) NULL, sync_token varchar(10) NULL, is_prepayment tinyint NULL"
)
_COLUMNS: Final = {
    "tbl_imvoice": (
        "id {key}, reg_no varchar(200) NULL, appl_Id int NULL, fee_category int NULL, "
        "dept {money} NULL, credit {money} NULL, balance varchar(200) NULL, "
        "invoice_date {dated} NULL, `date` date NULL, comment varchar(900) NULL, "
        "level_id int NULL, module_id int NULL, intake_id int NULL, Rpt_Id int NULL, "
        "`user` varchar(20) NULL, reference_number varchar(255) NULL, "
        "QuickBk_Status int NULL DEFAULT 0, pushed_by varchar(200) NULL, "
        "pushed_date datetime NULL{later}"
    ),
    "tbl_personal_ug": (
        "per_id_ug {key}, reg_no varchar(200) NOT NULL, fname varchar(250) NULL, "
        "middlename varchar(200) NULL, lname varchar(100) NULL, email1 varchar(50) NULL, "
        "email2 varchar(50) NULL, phone1 varchar(100) NULL, phone2 varchar(20) NULL"
    ),
    "tbl_online_application": (
        "appl_Id {key}, tracking_id varchar(200) NULL, reg_no varchar(200) NULL, "
        "first_name varchar(200) NULL, middlename varchar(200) NULL, "
        "family_name varchar(200) NULL, email1 varchar(100) NULL, phone1 varchar(50) NULL, "
        "camp_id varchar(155) NULL"
    ),
    "tbl_income_category": (
        "id {key}, name varchar(100) NOT NULL, description text NOT NULL, "
        "camp_id int NOT NULL DEFAULT 0, prg_type int NULL, splz_id int NULL, "
        "invTypeId int NULL, amount int NOT NULL DEFAULT 0, status_Id int NOT NULL DEFAULT 1, "
        "category varchar(200) NULL, QuickBk_ctgId int NULL"
    ),
    "tbl_campus": (
        "camp_id {key}, camp_full_name varchar(50) NOT NULL, camp_short_name varchar(20) NOT NULL"
    ),
    "tbl_register_program_ug": (
        "reg_prg_id {key}, reg_no varchar(200) NOT NULL, camp_id int NOT NULL, reg_date date NULL"
    ),
    MARKER: "id {key}",
}


def create_statements(
    *, sqlite: bool, engine: str, money: str, dated: str = "date", later: bool = True
) -> Iterator[str]:
    """Yield what creates the tables, and the indexes an administrator may have added.

    Args:
        sqlite: Whether it is for a file.
        engine: Storage engine on a server.
        money: Type of `dept` and `credit`.
        dated: Type of `invoice_date`.
        later: Whether the columns of the earlier program are there.
    """
    key = "INTEGER PRIMARY KEY" if sqlite else "int NOT NULL PRIMARY KEY AUTO_INCREMENT"
    tail = "" if sqlite else f" ENGINE={engine} DEFAULT CHARSET=utf8mb4"
    words = {"key": key, "money": money, "dated": dated, "later": _LATER if later else ""}
    for table, columns in _COLUMNS.items():
        yield f"CREATE TABLE {table} ({columns.format(**words)}){tail}"
    # A whole varchar(200) in utf8mb4 is longer than old InnoDB keys may be.
    prefix = "" if sqlite else "(40)"
    yield f"CREATE INDEX ix_fb_reg_no ON tbl_personal_ug (reg_no{prefix})"
    yield f"CREATE INDEX ix_fb_tracking_id ON tbl_online_application (tracking_id{prefix})"
    yield "CREATE INDEX ix_fb_status ON tbl_imvoice (QuickBk_Status, id)"
    yield "CREATE INDEX ix_fb_amounts ON tbl_imvoice (QuickBk_Status, dept, credit, invoice_date)"
