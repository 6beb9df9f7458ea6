"""Errors about the files of an unlabeled data set, and the warnings of this package."""

import errno

_MACHINE = (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ENOSPC, errno.EDQUOT)


class LangSegWarning(UserWarning):
    """A warning of this package: the message says it all, the line of Python nothing."""


class BadFileError(ValueError):
    """A file of a data set cannot be used; the message names the file.

    The data set decides what follows: skip the sample and count it, or stop.
    """


class MaskFileError(BadFileError):
    """A mask file is missing, damaged, or belongs to another image."""


class FeatureFileError(BadFileError):
    """A file of precomputed features is missing, damaged, or holds something else."""


class ImageFileError(BadFileError):
    """An image file is missing or cannot be decoded."""


def raise_machine_fault(error: BaseException) -> None:
    """Raise an error again that says nothing about the file: the machine has run out of something.

    Too many open files, no memory, a full disk: the next file would fail as well, and a run that
    skipped them all would seem to have found a thousand bad files.

    Args:
        error: What reading or decoding a file raised.

    Raises:
        OSError: ``error``, if it is of this kind.
    """
    if isinstance(error, OSError) and error.errno in _MACHINE:
        raise error
