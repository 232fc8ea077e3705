"""Feebridge: every invoice of the MIS in QuickBooks, once."""

__version__ = "0.1.0"
