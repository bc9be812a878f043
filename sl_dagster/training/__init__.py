"""Fine-tuning: a program of its own, so that its memory is free again when it ends.

``job.py`` says what one training consists of; ``train.py`` is what ``accelerate launch`` starts.
What belongs here: what happens in that program, and the contract with it. Starting it, and storing
what it makes, is the business of ``resources``.
"""
