"""Verification: every published or independently computed number that the program can be held against.

`verify()` returns the rows, `table` and `markdown` show them.
"""

from gbaexplore.verification.report import Row, markdown, table
from gbaexplore.verification.rows import verify

__all__ = ["Row", "markdown", "table", "verify"]
