"""The report: all that an experiment has achieved, cost and dropped, in one HTML file.

Here belongs what this file needs: what stands in it (``sections.py``, ``costs.py``,
``samples.py``), and how it becomes a page (``page.py`` and the template). Everything is read from
the stored files; the file needs no other, runs no script, and asks nobody for anything.
"""
