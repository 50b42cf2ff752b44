"""The filter of system calls in the words of OCI runtimes, for levels whose runtime compiles it itself.

It is what `seccomp` compiles, from the same lists; but for listeners, so that what is refused is not told. crun takes
the compiled one instead, and hands over its listener (`oci.containers`).
"""

from __future__ import annotations

import errno
from collections.abc import Collection
from typing import Any

from mayfly.sandbox.agent import calls, seccomp


def oci_profile() -> dict[str, Any]:
    """The object `linux.seccomp` of a configuration. Runtimes skip names that their libseccomp does not know."""
    return {
        "defaultAction": "SCMP_ACT_ERRNO",
        "defaultErrnoRet": errno.ENOSYS,
        "syscalls": [
            _allow([name for name in calls.ALLOWED if name not in seccomp.WITH_ARGUMENTS]),
            _refuse([name for name in calls.REFUSED if name not in seccomp.WITH_ARGUMENTS], errno.EPERM),
            _allow(["clone"], (0, sum(seccomp.NEW_NAMESPACES), 0)),
            *(_allow(["prctl"], (0, seccomp.INT, option)) for option in seccomp.PRCTL),
            *(_allow(["personality"], (0, seccomp.INT, kind)) for kind in seccomp.PERSONALITIES),
            *(_allow(["socket"], (0, seccomp.INT, family)) for family in seccomp.FAMILIES),
            _allow(["socket"], (0, seccomp.INT, seccomp.NETLINK), (2, seccomp.INT, seccomp.NETLINK_ROUTE)),
        ],
    }


def _allow(names: Collection[str], *when: tuple[int, int, int]) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ALLOW", "args": [_argument(*one) for one in when]}


def _refuse(names: Collection[str], answer: int) -> dict[str, Any]:
    return {"names": list(names), "action": "SCMP_ACT_ERRNO", "errnoRet": answer}


def _argument(index: int, mask: int, value: int) -> dict[str, Any]:
    return {"index": index, "value": mask, "valueTwo": value, "op": "SCMP_CMP_MASKED_EQ"}
