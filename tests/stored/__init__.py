"""Projects that earlier commits have left: their data and Dagster's history are understood."""
