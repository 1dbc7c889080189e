"""Verification: comparison with every published or independently computed number.

`verify()` returns the rows, `table` and `markdown` show them.
"""

from gbaexplore.verification.report import Row, markdown, table
from gbaexplore.verification.rows import verify

__all__ = ["Row", "markdown", "table", "verify"]
