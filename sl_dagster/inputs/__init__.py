"""Files that users bring: instructions, documents, queries and answers.

What belongs here: reading them, with errors that name the file and the line. What is done with them
belongs to the stages and the commands.
"""
