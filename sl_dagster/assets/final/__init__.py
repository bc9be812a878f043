"""What is made of all iterations together: the final data set, and the model aligned on it.

What belongs here: assets that come after the last iteration. Writing them for others is the
business of ``publishing``.
"""
