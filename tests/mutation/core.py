"""The files that decide, the tests that know them, and the changes that change nothing."""

from collections.abc import Mapping

_ANSWERS = (
    "tests/core/test_wire_answers.py",
    "tests/core/test_wire_reads.py",
    "tests/core/test_wire_sizes.py",
)
CORE: Mapping[str, tuple[str, ...]] = {
    "application/invoices/outcomes.py": ("tests/core/test_outcomes.py",),
    "application/invoices/retries.py": ("tests/core/test_retries.py",),
    "application/invoices/money.py": ("tests/core/test_money.py",),
    "application/quickbooks/answers.py": _ANSWERS,
    "application/quickbooks/faults.py": ("tests/core/test_faults.py", *_ANSWERS),
    "application/quickbooks/shapes.py": _ANSWERS,
    "application/quickbooks/wire.py": ("tests/core/test_wire_requests.py", *_ANSWERS),
}

# File, then the mutant's name as `python -m tests.mutation` prints it, then why no test can tell.
EQUIVALENT: Mapping[str, Mapping[str, str]] = {
    "application/invoices/outcomes.py": {
        "verdict: 0 -> -1": "of one live document the first is the last",
    },
    "application/invoices/money.py": {
        "module: 60 -> 61": "42 digits are the most it ever holds, so 61 hold them too",
        "module: 60 -> 59": "42 digits are the most it ever holds, so 59 hold them too",
        "why_no_amount: 0 -> -1": "an empty credit of -1 is below every dept that comes so far",
        "_amount: 0 -> 1": "a row without dept was turned away before",
        "_amount: 0 -> -1": "a row without dept was turned away before",
    },
    "application/quickbooks/answers.py": {
        "module: 429 -> 430": "a 429 is judged by its status before its body is read",
        "module: 429 -> 428": "a 429 is judged by its status before its body is read",
        "parse: 'utf-8' -> 'utf-8\u2020'": "Python drops what is no letter or digit from the name",
        "faults_of_xml: 200 -> 201": "an XML fault begins long before its 199th byte",
        "faults_of_xml: 200 -> 199": "an XML fault begins long before its 199th byte",
    },
    "application/quickbooks/wire.py": {
        "module: '_T' -> '_T\u2020'": "the name of a type variable is for people",
    },
    "application/quickbooks/faults.py": {
        "Care: 5 -> 6": "only the order counts, and 6 is still the greatest",
        "Care: 0 -> -1": "only the order counts, and -1 is still the least",
    },
}
