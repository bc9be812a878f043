"""Files that users bring along, and what the command line does with them.

What belongs here: reading instructions, documents, queries and answers line by line, with errors
that name the file and the line, and the commands that need nothing but such a file.
"""
