"""The error of the local stack."""


class LocalStackError(Exception):
    """The local stack cannot start or continue. `str(error)` is one plain sentence with the next step."""
