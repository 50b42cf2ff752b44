"""The types of this package: a module each. Listed by `resources.registry`."""

from mayfly.services.stacks.resources.base import ResourceType
from mayfly.services.stacks.resources.s3.bucket import Bucket
from mayfly.services.stacks.resources.s3.bucket_policy import BucketPolicy

TYPES: tuple[ResourceType, ...] = (Bucket(), BucketPolicy())
