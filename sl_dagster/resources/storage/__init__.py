"""Where results lie: stages and adapters in files, lengths and lineage in DuckDB."""
