"""The program of a nest's keeper, which has few of Mayfly's modules."""

import subprocess
import sys

from mayfly.sandbox.agent import keeper, root
from mayfly.sandbox.node import launch

LOADED = "import sys; import mayfly.sandbox.agent.keeper; print(*(n for n in sys.modules if n.startswith('mayfly')))"


def test_a_keeper_is_given_every_module_that_it_imports() -> None:
    done = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)
    packages = {"mayfly", "mayfly.sandbox", "mayfly.sandbox.agent"}
    assert set(done.stdout.split()) - packages == set(keeper.MODULES)


def test_node_is_shown_where_it_is_started() -> None:
    assert (root.NODE, root.NODE_BOOTSTRAP) == (launch.NODE, launch.BOOTSTRAP)
