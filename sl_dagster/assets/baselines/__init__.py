"""Other ways to responses that are long: what Self-Lengthen is compared with.

What belongs here: stages that only a baseline has, one module per baseline. What it shares with the
loop (instructions, training sets, adapters) stays in ``loop``; how methods compare is in
``results``.
"""
