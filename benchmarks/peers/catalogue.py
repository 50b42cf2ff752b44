"""Every peer, in the order of the table."""

from benchmarks.peers.awslambdaric import RuntimeApi
from benchmarks.peers.containers import CRUN, RUNSC, Containers
from benchmarks.peers.mayfly import FunctionUrl, Mayfly
from benchmarks.peers.python_servers import FunctionsFramework, FunctionsFrameworkWorkers, Uvicorn
from benchmarks.peers.ray_serve import RayServe
from benchmarks.peers.serverless_offline import ServerlessOffline
from benchmarks.peers.subject import Peer
from benchmarks.peers.workers import Miniflare, Workerd


def peers(mayfly: Mayfly | None) -> list[Peer]:
    """All of them; Mayfly's own second way in only where Mayfly runs."""
    found: list[Peer] = [
        FunctionsFramework(),
        FunctionsFrameworkWorkers(),
        RayServe(),
        ServerlessOffline(),
        RuntimeApi(),
        Containers(CRUN),
        Containers(RUNSC),
        Workerd(),
        Miniflare(),
        Uvicorn(),
    ]
    return [FunctionUrl(mayfly), *found] if mayfly is not None else found
