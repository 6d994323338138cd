"""The errors of downloading and unpacking the published files."""

from contract.errors import DatasetError


class FetchError(DatasetError):
    """The archive of record does not deliver the published files."""

    code, title = "fetch_failed", "The pictures cannot be fetched"


class ArchiveError(DatasetError):
    """A local file is not one of the published archives, or it is damaged; the message names the file."""

    code, title = "invalid_archive", "The archive cannot be used"
