"""What can go wrong while the published files are brought here."""

from contract.errors import DatasetError


class FetchError(DatasetError):
    """The published files cannot be had: the archive does not answer, or not with what it promised."""

    code, title = "fetch_failed", "The pictures cannot be fetched"


class ArchiveError(DatasetError):
    """A file that someone handed over is not what was published: the sentence names it and says how."""

    code, title = "invalid_archive", "The archive cannot be used"
