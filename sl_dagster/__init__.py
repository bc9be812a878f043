"""sl-dagster: Self-Lengthen (arXiv 2410.23933) as Dagster assets.

Only the package's version belongs here: importing the package must stay free.
"""

__version__ = "0.1.0"
