"""The process that BrainPy computes in; see `rows.brainpy_rows`."""

from gbaexplore.verification.notebook import brainpy_process

brainpy_process()
