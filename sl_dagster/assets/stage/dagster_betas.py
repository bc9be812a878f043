"""Using parts of Dagster that work, and that warn at each use that they may change one day."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager

import dagster as dg


@contextmanager
def accepted_betas() -> Iterator[None]:
    """Keep Dagster's beta and preview warnings from the user, who cannot do anything about them."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", category=dg.BetaWarning)
        warnings.filterwarnings("ignore", category=dg.PreviewWarning)
        yield
