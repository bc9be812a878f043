"""Where results lie: stages and adapters in files, lengths and lineage in DuckDB.

What belongs here: writing so that a kill loses nothing, and reading what is there. What a record
holds is in ``resources/records.py``; what is made of many records, in ``results``.
"""
