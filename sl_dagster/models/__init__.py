"""Base models as files: how they are loaded, by engines, trainings and exports alike.

What belongs here: what ``transformers`` must be told of a model, and why a model cannot be used.
What is asked of a loaded model belongs to engines and trainings.
"""
