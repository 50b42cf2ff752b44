"""What a server that sends no requests need not load."""

import subprocess
import sys


def test_a_start_loads_neither_the_client_nor_what_signs() -> None:
    heavy = ("aiohttp", "cryptography")
    script = f"import sys, mayfly.app.platform; print([one for one in {heavy} if one in sys.modules])"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
