"""Container images as the code of functions: named by a request, made ready, and what can be wrong with them in AWS's
words.

`images` knows nothing of functions. What is wrong when a request names an image is told to the caller; what turns out
later is the state of the function (`Refusal`).
"""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import msgspec

from mayfly.errors import MayflyError, PlatformError
from mayfly.images import errors
from mayfly.images.service import Images, Resolved
from mayfly.services.contract import ServiceError
from mayfly.services.functions import faults
from mayfly.services.functions.model import Code, ImageCode
from mayfly.settings import Isolation
from mayfly.store.api import StoreClosedError

PAUSES_S = (0.5, 2.0, 8.0)  # between attempts at what may be better soon

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an image cannot be the code of a function: AWS's StateReasonCode, and a sentence."""

    code: str
    reason: str


class ImageSource:
    """Takes images as code."""

    def __init__(self, images: Images, isolation: Isolation) -> None:
        self._images = images
        self._isolation = isolation

    @asynccontextmanager
    async def named(self, uri: str) -> AsyncIterator[Code]:
        """The image that `uri` names now, not made ready yet. Pinned while the context is open; `ServiceError`."""
        if self._isolation == "process":
            raise faults.invalid_parameter(
                "Container images need a file system of their own, which functions have only where they are isolated. "
                "Start Mayfly with --isolation namespace."
            )
        try:
            resolved = await self._images.resolve(uri)
        except (errors.ImageError, errors.ImagesUnavailableError) as error:
            raise _fault(uri, error) from error
        with self._images.pinned(resolved.digest):
            yield Code(resolved.digest, 0, 0, ImageCode(uri, resolved.pinned))

    async def prepare(self, code: Code) -> Code:
        """The same code, ready to run; `ImageError`, `ImagesUnavailableError`, and what the store raises."""
        assert code.image is not None, "only images are made ready"
        with self._images.pinned(code.sha256):
            image = await self._images.prepare(Resolved(code.image.uri, code.image.pinned, code.sha256))
        return msgspec.structs.replace(code, image=msgspec.structs.replace(code.image, process=image.process))

    async def ensure(self, code: Code) -> None:
        """Have the root file system of a code that was ready before; `ServiceError`."""
        try:
            await self.prepare(code)
        except (errors.ImageError, errors.ImagesUnavailableError) as error:
            raise faults.service_failure(f"The function's image is lost: {error}") from error

    def root(self, code: Code) -> Path:
        """Where its root file system is."""
        return self._images.root(code.sha256)

    def progress(self, code: Code) -> str | None:
        """How far it is with becoming ready, in words."""
        return self._images.progress(code.sha256)


def refusal(code: Code, error: MayflyError) -> Refusal:
    """What `error`, raised by `ImageSource.prepare`, makes of a function's state."""
    pinned = code.image.pinned if code.image is not None else ""
    match error:
        case errors.ImageNotFoundError():
            return Refusal("ImageDeleted", f"The image {pinned} does not exist any longer: {error}")
        case errors.ImageDeniedError():
            return Refusal("ImageAccessDenied", f"Mayfly does not have permission to access the image: {error}")
        case errors.BrokenLayerError():
            return Refusal(
                "InvalidImage",
                f"ImageLayerFailure: UnsupportedImageLayerDetected - Layer Digest {error.digest}: {error}",
            )
        case errors.ImageError():
            return Refusal("InvalidImage", f"The image {pinned} cannot be run: {error}")
    return Refusal("InternalError", f"The image {pinned} could not be made ready: {error}")


def _fault(uri: str, error: MayflyError) -> ServiceError:
    """The wire form of what is wrong with an image that a request names. AWS's sentence comes first."""
    match error:
        case errors.ImageNotFoundError():
            return faults.invalid_parameter(f"Source image {uri} does not exist. Provide a valid source image.")
        case errors.ImageDeniedError():
            return faults.access_denied(f"Lambda does not have permission to access the image {uri}: {error}")
        case errors.UnsupportedImageError() | errors.WrongArchitectureError():
            return faults.invalid_parameter(
                f"The image manifest, config or layer media type for the source image {uri} is not supported. "
                f"What is wrong with it: {error}."
            )
        case errors.ImageError():
            return faults.invalid_parameter(
                f"Source image {uri} is not valid. Provide a valid source image. What is wrong with it: {error}."
            )
    return faults.service_failure(str(error))


async def ready_or_refused(images: ImageSource, code: Code) -> Code | Refusal:
    """`code`, ready to run; or why it cannot be, after several attempts where another one may succeed."""
    for pause_s in (*PAUSES_S, None):
        try:
            return await images.prepare(code)
        except errors.ImageError as error:
            return refusal(code, error)
        except errors.ImagesUnavailableError as error:
            if pause_s is None:
                return refusal(code, error)
            _log.info("another attempt follows: %s", error)
        except StoreClosedError:
            raise
        except (PlatformError, OSError) as error:  # the store's: a disk that is full, a blob that was swept
            if pause_s is None:
                return refusal(code, errors.ImagesUnavailableError(str(error)))
        await asyncio.sleep(pause_s)
    raise AssertionError("the last attempt returns")
