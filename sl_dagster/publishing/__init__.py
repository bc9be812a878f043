"""What one leaves with: data sets and models as others read them, their cards, and the hub.

What belongs here: files for elsewhere. What they say of an experiment is computed in ``results``.
"""
