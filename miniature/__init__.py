"""How the demo's miniature model is made: its synthetic world, its curriculum, its pre-training.

What belongs here: everything needed to rebuild ``sl_dagster/demo`` from nothing on two CPU cores,
and nothing of Self-Lengthen itself. Nothing in ``sl_dagster`` imports it.
"""
