"""A few records through one iteration, and what the full run would cost by that measure.

What belongs here: making the experiment small, running it aside, and the estimate. The assets that
run are those of the experiment.
"""
