"""A module that ends its process while it is loaded."""

import os

print("about to leave", flush=True)
os._exit(3)
