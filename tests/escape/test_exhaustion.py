"""Taking everything: what is full is the sandbox's own, and its sibling does not notice."""

import errno
import signal

import pytest

from mayfly.sandbox.oci.runtimes import GVISOR

from .cell import Cell, end_of, make

pytestmark = pytest.mark.asyncio(loop_scope="session")

# Of the runtime itself: the three standard streams and the control socket.
OWN_DESCRIPTORS = 4


async def test_processes_run_out_at_the_functions_own_limit(cell: Cell) -> None:
    if cell.level == GVISOR:
        pytest.skip("gVisor ends with its own threads: that is the next test")
    talk = await cell.fresh(processes=24)
    found = await make(talk, "fill_processes")
    assert found["errno"] == errno.EAGAIN
    assert found["started"] < 24
    await cell.end(talk)


async def test_a_fork_bomb_is_ended_with_its_sandbox(cell: Cell) -> None:
    await cell.assert_sibling_is_well()
    talk = await cell.fresh(processes=32)
    await talk.send_invoke({"attempt": "fork_for_ever"})
    for _ in range(5):
        await cell.assert_sibling_is_well()
    # gVisor ends by itself when the machine gives its kernel no more threads.
    assert (await cell.end(talk)).reason in {"killed", *(("exited", "signaled") if cell.level == GVISOR else ())}
    await cell.assert_sibling_is_well()


async def test_descriptors_run_out_at_the_limit_that_was_given(cell: Cell) -> None:
    found = await cell.attempt("fill_descriptors")
    assert found["errno"] == errno.EMFILE
    assert 256 - OWN_DESCRIPTORS - 8 <= found["opened"] <= 256 - OWN_DESCRIPTORS


async def test_a_full_disk_is_the_functions_own(cell: Cell) -> None:
    assert await cell.attempt("fill_tmp", mebibytes=64) == errno.ENOSPC
    assert await make(await cell.sibling(), "fill_tmp", mebibytes=16) == 0


async def test_files_run_out_before_the_machines_memory_does(cell: Cell) -> None:
    if cell.level == GVISOR:
        pytest.skip("gVisor counts no inodes: they are memory of its kernel, which the control group limits")
    assert await cell.attempt("fill_inodes", count=100_000) == errno.ENOSPC
    assert await make(await cell.sibling(), "fill_inodes", count=1000) == 0


@pytest.mark.parametrize("how", ["heap", "memfd", "files", "System V"])
async def test_memory_that_runs_out_ends_the_sandbox_and_no_other(cell: Cell, how: str) -> None:
    await cell.assert_sibling_is_well()
    talk = await cell.fresh(memory_mb=128, ephemeral_mb=1024)
    how_ended = await end_of(talk, "take_memory", how=how)
    assert how_ended.reason == "out-of-memory"
    await cell.end(talk)
    await cell.assert_sibling_is_well()


async def test_shared_memory_is_of_a_bounded_size(cell: Cell) -> None:
    assert await cell.attempt("fill_shared_memory", mebibytes=512) == errno.ENOSPC


async def test_memory_is_not_locked_and_no_limit_is_raised(cell: Cell) -> None:
    assert await cell.attempt("lock_memory") == errno.ENOMEM
    assert await cell.attempt("raise_limits") == ["refused"] * 4


async def test_no_core_is_dumped(cell: Cell) -> None:
    assert await cell.attempt("dump_core") == [signal.SIGSEGV, []]


async def test_a_processor_that_is_burnt_is_the_functions_share(cell: Cell) -> None:
    talk = await cell.fresh(cpus=0.1)
    await talk.send_invoke({"attempt": "burn"})
    for _ in range(5):
        await cell.assert_sibling_is_well()
    assert (await cell.end(talk)).reason == "killed"


async def test_who_floods_the_log_waits_until_it_is_read(cell: Cell) -> None:
    """The pipe is bounded, and what is behind it reads as it can: nothing grows, in the sandbox or outside."""
    talk = await cell.fresh()
    await talk.send_invoke({"attempt": "flood"})
    for _ in range(5):
        await cell.assert_sibling_is_well()
    assert talk.sandbox.peak_memory() < 512 << 20
    # At gVisor the runtime ends by itself once in some ten times; which of the two gives up on the pipe is not known.
    assert (await cell.end(talk)).reason in (("killed", "exited") if cell.level == "gvisor" else ("killed",))


async def test_connections_to_the_endpoint_are_bounded_by_the_functions_own_descriptors(cell: Cell) -> None:
    """Those that nobody accepts wait in the sandbox's own network, in a queue of bounded length."""
    talk = await cell.fresh()
    held = await make(talk, "hold_connections", port=4566, count=1000)
    assert 0 < held < 256
    await cell.assert_sibling_is_well()
    await cell.end(talk)
