"""What can be wrong with an image. Domain words; `services.functions.image_faults` gives them AWS's."""

from mayfly.errors import CallerError, PlatformError


class ImageError(CallerError):
    """The image, or what was asked of it, is at fault."""


class BadReferenceError(ImageError):
    """What was given names no image; the message says what is allowed."""


class ImageNotFoundError(ImageError):
    """There is no such image, or no longer."""


class ImageDeniedError(ImageError):
    """The registry refuses, or the operator allowed no such place."""


class UnsupportedImageError(ImageError):
    """Its manifest, configuration or a layer is of a kind that cannot be run."""


class WrongArchitectureError(ImageError):
    """It is for other machines."""


class BrokenImageError(ImageError):
    """It is not what it claims to be: digests that do not hold, layers cut short, paths that lead out."""


class BrokenLayerError(BrokenImageError):
    """One of its layers is."""

    def __init__(self, digest: str, message: str) -> None:
        super().__init__(message)
        self.digest = digest  # "sha256:..."


class ImageTooLargeError(ImageError):
    """It exceeds a limit; the message names the limit."""


class ImagesUnavailableError(PlatformError):
    """Images cannot be had now: a tool is missing, a registry does not answer, the disk is full. The message says what
    to do."""
