"""`make torture`: kills runs at random moments, again and again, and compares what they make.

What belongs here: the program, which takes an hour and is no test of `make test`: how runs are made
and killed (`runs`, `victims`), what must be the same afterwards (`made`), and what was found
(`tally`). What does not: faults that are provoked one by one, which the tests of what they hit do.
"""
