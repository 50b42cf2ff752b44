"""The code of functions, put together: where it is kept, how it is taken in and made ready, what is added to it.

For `service`.
"""

from mayfly.images.service import Images
from mayfly.services.functions import runtimes
from mayfly.services.functions.code.compile_cache import CompileCaches, Start
from mayfly.services.functions.code.library import CodeLibrary
from mayfly.services.functions.code.links import CodeLinks
from mayfly.services.functions.code.modules import Modules
from mayfly.services.functions.code.preparing import Preparing
from mayfly.services.functions.code.sources import CodeSources
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.image_code import ImageSource
from mayfly.services.functions.layers.contents import LayerContents
from mayfly.services.functions.levels import FunctionLevels
from mayfly.services.ports import CodeSource


class Code:
    """The parts. `open` before, `close` after functions can be called."""

    def __init__(
        self,
        ground: Ground,
        choose: runtimes.Runtimes,
        images: Images,
        objects: CodeSource,
        levels: FunctionLevels,
        sandboxes: Start | None,
    ) -> None:
        """`sandboxes` starts those in which code is compiled; None: it is not."""
        settings, store, blobs, clock = ground.settings, ground.store, ground.blobs, ground.clock
        limits = settings.limits
        self._images = images
        self.library = CodeLibrary(settings.data, blobs, limits, clock)
        self.layers = LayerContents(settings.data, store, blobs, limits, clock, choose)
        self.modules = Modules(self.library)
        self.images = ImageSource(images, settings.engine.isolation)
        caches = CompileCaches(self.library, sandboxes, ground.home.region)
        self.preparing = Preparing(self.library, self.layers, self.modules, caches, levels, choose)
        self.sources = CodeSources(self.library, self.images, objects)
        self.layer_sources = CodeSources(self.layers.library, self.images, objects)
        self.links = CodeLinks(blobs, clock)

    async def open(self) -> None:
        """Make the directories ready."""
        await self.library.open()
        await self.layers.open()
        await self._images.open()

    async def close(self) -> None:
        """End what goes on in the background."""
        await self._images.close()
        self.library.close()
        await self.layers.close()
