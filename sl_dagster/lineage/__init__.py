"""The lineage view: local web pages that follow any record from its seeds to what it taught.

Here belongs what these pages need: their addresses, the queries behind them, and their templates.
Everything is read from the stored files when a page is asked for; nothing is written.
"""
