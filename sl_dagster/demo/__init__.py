"""The demo's miniature model: its synthetic world, its pre-training and its weights.

What belongs here: everything needed to rebuild the model that ``make demo`` runs on two CPU cores,
and nothing of Self-Lengthen itself. The rest of the project treats the model as any other one, by
its folder.
"""
