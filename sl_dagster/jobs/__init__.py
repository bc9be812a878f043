"""Everything that starts runs: jobs, sensors, launching them, and finding what is out of date.

What belongs here: which assets a run makes, when, and how it talks to the terminal meanwhile. What
an asset does belongs to ``assets``; whoever launches a job hands over the definitions that know it.
"""
