"""Exceptions for unusable dataset files, and the warning class of this package."""

import errno

_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)


class LangSegWarning(UserWarning):
    """Warning of this package, which our commands print without the line of code."""


class BadFileError(ValueError):
    """A dataset file cannot be used; the message names the file.

    The dataset decides whether to skip and count the sample or to stop.
    """


class MaskFileError(BadFileError):
    """A mask file is missing, damaged, or belongs to another image."""


class FeatureFileError(BadFileError):
    """A file of precomputed features is missing, damaged, or contains something else."""


class ImageFileError(BadFileError):
    """An image file is missing or cannot be decoded."""


class StorageError(OSError):
    """A remote storage cannot be read; the message names the URL.

    It is raised for the network, credentials and the server, not for a single bad file.
    """


def raise_machine_fault(error: BaseException) -> None:
    """Re-raise an error that is caused by the machine or network and not by the file.

    After too many open files, no memory, a full disk or a lost connection, the next file would fail
    as well, and a run that skipped them all would seem to have found a thousand bad files.

    Args:
        error: The error raised while reading or decoding a file.

    Raises:
        OSError: ``error``, if the machine has run out of such a resource, or a remote storage
            cannot be read.
    """
    if isinstance(error, StorageError):
        raise error
    if isinstance(error, OSError) and error.errno in _MACHINE:
        raise error
