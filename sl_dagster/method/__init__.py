"""Self-Lengthen itself: the rules of the paper (arXiv 2410.23933) as plain functions.

What decides about a text belongs here: counting words, filtering, splitting, selecting, and making
training pairs. Nothing here imports Dagster or torch, reads a data set, or talks to a model.
"""
