"""What the assets work with: engines, the trainer, stored stages and adapters, the database.

Everything that touches files, processes or a database of a run belongs here. Resources know the
method and the experiment, never an asset; ``named.py`` gives them the names that assets ask for.
"""
