"""What the commands of ``sl-dagster`` do, and how they show it in a terminal.

What belongs here: one module per command or group of commands. ``cli`` says what each is called
and which options it takes; what is computed belongs into ``results`` and its neighbours.
"""
