"""A module whose load never ends."""

import time

print("loading for ever", flush=True)
time.sleep(3600)
