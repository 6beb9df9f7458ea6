"""Errors about the files of an unlabelled data set."""


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
