"""The independent checker: both books, our store and the audit log, looked at from outside."""
