"""What measures the models and the loop: held-out answers, benchmarks, the judge, the report."""
