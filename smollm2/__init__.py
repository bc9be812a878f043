"""A real model for the loop: SmolLM2-135M-Instruct, small enough for two CPU cores.

What belongs here: how its weights are fetched and converted, the experiments that run it, and what
these are given (seeds, held-out instructions, queries). ``make real`` does it all. Nothing in
``sl_dagster`` imports it. The weights lie in ``smollm2/model``, which git ignores, and so the
experiments have a folder of their own: whoever has not fetched the model can still load the others.
"""
