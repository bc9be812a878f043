"""Fine-tuning: a program of its own, so that its memory is free again when it ends.

``job.py`` says what one training consists of; ``train.py`` is what ``accelerate launch`` starts.
"""
