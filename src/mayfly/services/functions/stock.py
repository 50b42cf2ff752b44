"""The functions that there are, put together: how they are found, changed, published and provisioned. For `service`."""

import secrets

from mayfly.services.functions.catalog import Catalog
from mayfly.services.functions.code.assembly import Code
from mayfly.services.functions.deployments import Deployments
from mayfly.services.functions.editing import Editor
from mayfly.services.functions.engine_targets import TargetFactory
from mayfly.services.functions.ground import Ground
from mayfly.services.functions.provisioning import Provisioner
from mayfly.services.functions.publishing import Publisher
from mayfly.services.functions.settling import Settler
from mayfly.services.functions.variables import Variables


class Stock:
    """The parts. `publisher`, `settler` and `provisioner` run as tasks of the service."""

    def __init__(self, ground: Ground, code: Code, targets: TargetFactory) -> None:
        store, blobs, home, engine, clock = ground.store, ground.blobs, ground.home, ground.engine, ground.clock
        limits, images = ground.settings.limits, code.images
        self.variables = variables = Variables(ground.outside.vault)
        self.catalog = catalog = Catalog(
            store, home, code.preparing, images, targets, engine, lambda: secrets.randbits(64), variables
        )
        self.provisioner = Provisioner(store, catalog, engine)
        self.publisher = Publisher(store, blobs, catalog, engine, self.provisioner, home, clock, images, variables)
        self.editor = Editor(
            store, blobs, catalog, self.publisher, home, limits, clock, variables, ground.outside.events
        )
        self.settler = Settler(store, self.editor, images)
        self.deployments = Deployments(store, targets, images)
