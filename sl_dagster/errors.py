"""The one exception that is addressed to a person.

Whatever a user can cause and mend (a wrong file, a missing iteration, a full disk) is raised as a
``UserError`` whose message names the place, what is wrong and what to do. Everything else is a bug.
"""


class UserError(Exception):
    """A mistake or a circumstance that the user can mend; the message says how."""


class OutOfReachError(UserError):
    """Something that is stored cannot be read now, by this user: it may well be whole."""
