"""What goes wrong on purpose in the local stack."""


class LocalStackError(Exception):
    """The local stack cannot start or go on. `str(error)` is one plain sentence with what to do next."""
