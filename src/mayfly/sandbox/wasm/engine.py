"""The engine: the same where modules are compiled and where they run, or what was compiled would be refused."""

from __future__ import annotations

import platform

import wasmtime

STACK_BYTES = 1 << 20  # of a module's own calls; a thread has eight times as much
# Instructions of newer processors that code is compiled without: gVisor hides some of them from what runs in it, and
# machine code that may use them is refused there.
_LEFT_OUT = ("apx", "avx_vnni", "avx512bitalg", "avx512dq", "avx512f", "avx512vbmi", "avx512vl", "avx512vnni")


def make(*, parallel: bool = False) -> wasmtime.Engine:
    """`parallel`: compile on all processors, by threads that stay.

    Whoever changes anything here changes `artifacts._CONFIGURATION`, too.
    """
    config = wasmtime.Config()
    config.epoch_interruption = True
    config.wasm_threads = False  # one request, one thread
    config.max_wasm_stack = STACK_BYTES
    config.parallel_compilation = parallel
    if platform.machine() == "x86_64":
        for feature in _LEFT_OUT:
            config.cranelift_flag_set(f"has_{feature}", "false")
    return wasmtime.Engine(config)
