"""sl-dagster: Self-Lengthen (arXiv 2410.23933) as Dagster assets.

Only the package's version belongs here, and what must be said before anything else is loaded:
importing the package must stay free.
"""

import os

__version__ = "0.1.0"

# PyTorch's threads spin while they wait for each other, and take the cores from another run's. They
# shall spin for some microseconds, which is how long most of them wait, and then sleep. The OpenMP
# library reads this once, when it is loaded; training and vLLM inherit it. What the user has set
# stays. (bench/crowded.py)
if not os.environ.keys() & {"OMP_WAIT_POLICY", "GOMP_SPINCOUNT"}:
    os.environ |= {"OMP_WAIT_POLICY": "PASSIVE", "GOMP_SPINCOUNT": "1000"}
