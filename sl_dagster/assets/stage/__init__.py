"""What all stages share: declaring an asset, its settings, its metadata and its pictures.

What belongs here: what no stage should say for itself. What only some stages need belongs to their
own room.
"""
