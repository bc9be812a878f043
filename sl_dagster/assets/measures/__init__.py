"""What measures the models and the loop: held-out answers, benchmarks, the judge, the report.

What belongs here: assets that nothing is trained on. What their numbers are is computed in
``results``; how an answer scores, in ``benchmarks`` and ``method``.
"""
