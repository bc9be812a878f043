"""sl-dagster: Self-Lengthen (arXiv 2410.23933) as Dagster assets.

Only the package's version belongs here, and what must be said before anything else is loaded:
importing the package must stay free.
"""

import os

__version__ = "0.1.0"

# PyTorch's threads spin while they wait for each other, and take the cores from another run's. The
# OpenMP library reads this once, when it is loaded; training and vLLM inherit it. What the user has
# set stays.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
