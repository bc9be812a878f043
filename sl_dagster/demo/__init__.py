"""What the demo runs on: the miniature model's weights, its prompts, and what it is asked.

What belongs here: files that the demo's experiments name. How they are made stands in
``miniature/`` beside this package. The rest of the project treats the model as any
other one, by its folder.
"""

from pathlib import Path

FOLDER = Path(__file__).parent
