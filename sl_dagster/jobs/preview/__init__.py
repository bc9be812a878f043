"""A few records through one iteration, and what the full run would cost by that measure."""
