"""The stages of one macro-iteration, one module per stage of the paper's figure.

What belongs here: what is asked of whom, and what becomes of the answer. Measurements of what the
loop has achieved belong into ``assets/measures``.
"""
