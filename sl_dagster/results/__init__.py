"""What experiments have achieved, computed from what is stored: the tables and the plots.

What belongs here: numbers that asset pages, the command line, cards and the report show alike. How
each of them shows the numbers is its own business.
"""
