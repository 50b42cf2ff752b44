"""Hostile code in a namespace sandbox: what it must not see, must not do, and whom it must not hurt."""

import asyncio
import contextlib
import errno
import os
import resource
import secrets
import signal
import socket
from pathlib import Path

import pytest

from mayfly.sandbox import interpreters
from mayfly.sandbox.api import SandboxFactory, SandboxStartError
from mayfly.sandbox.namespace import AgentFactory

from .talk import CODE, RUNTIME, Talk, Talks

pytestmark = [pytest.mark.root, pytest.mark.asyncio(loop_scope="module")]

MEMORY_MB = 128


async def refused(talk: Talk, code: str) -> int:
    """The errno with which `errno_of(...)` in `code` was refused."""
    number = await talk.run(f"import ctypes, signal\nlibc = ctypes.CDLL(None, use_errno=True)\nresult = {code}")
    assert isinstance(number, int)
    return number


def call(arguments: str) -> str:
    """An expression for the errno of a raw call of the C library; 0 when it succeeded."""
    return f"(libc.{arguments} < 0) and ctypes.get_errno()"


# What it must not see


async def test_the_root_has_nothing_of_the_host_but_programs(isolated: Talks) -> None:
    talk = await isolated.ready()
    assert set(await talk.run("result = os.listdir('/')")) <= {
        *("bin", "dev", "etc", "home", "lib", "lib32", "lib64", "libx32", "opt", "proc", "root", "sbin", "tmp", "usr"),
        "var",
    }
    assert await talk.run("result = [os.listdir(d) for d in ('/home', '/tmp', '/dev/shm', '/opt')]") == [[], [], [], []]
    assert sorted(await talk.run("result = os.listdir('/var')")) == ["lang", "runtime", "task", "tmp"]


async def test_no_file_of_the_host_is_reachable(isolated: Talks, tmp_path: Path, namespaces: SandboxFactory) -> None:
    secret = tmp_path / "secret"
    secret.write_text("data of the platform")
    talk = await isolated.ready()
    paths = [
        str(secret),
        "/etc/shadow",
        "/etc/machine-id",
        "/run",
        "/sys",
        "/root/.ssh",
        "/var/lib",
        "/var/log",
        "/boot",
    ]
    paths += [f"/proc/1/root{secret}", f"/proc/self/root{secret}", f"/proc/self/cwd/../../..{secret}", "/.host"]
    assert await talk.run("result = [p for p in event['paths'] if os.path.exists(p)]", paths=paths) == []


async def test_made_up_accounts_name_nobody_of_the_host(isolated: Talks) -> None:
    talk = await isolated.ready()
    names = await talk.run("import pwd; result = sorted(e.pw_name for e in pwd.getpwall() if e.pw_uid < 1000)")
    assert names == ["root"]
    assert (await talk.run("import pwd; result = pwd.getpwuid(os.getuid()).pw_name")).startswith("sbx_user")


async def test_another_functions_code_and_tmp_cannot_be_seen(isolated: Talks, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "lab.py").write_text((CODE / "lab.py").read_text())
    (other / "other.txt").write_text("mine")
    one, two = await isolated.ready(), await isolated.ready(other)
    await two.run("open('/tmp/mine', 'w').write('x'); open('/dev/shm/mine', 'w').write('x')")
    seen = "result = [os.listdir('/tmp'), os.listdir('/dev/shm'), os.path.exists('/var/task/other.txt')]"
    assert await one.run(seen) == [[], [], False]
    assert await one.run("result = os.getuid()") != await two.run("result = os.getuid()")


async def test_proc_shows_only_the_sandboxs_own_processes(isolated: Talks) -> None:
    other, talk = await isolated.ready(), await isolated.ready()
    await other.run("subprocess.Popen(['sleep', '60'])")
    await talk.run("subprocess.Popen(['sleep', '60'])")
    names = "[open(f'/proc/{p}/comm').read().strip() for p in os.listdir('/proc') if p.isdigit()]"
    assert sorted(await talk.run(f"result = {names}")) == ["fn", "sleep"]
    assert await talk.run("result = os.getpid()") == 1


async def test_what_proc_counts_for_the_whole_machine_cannot_be_timed(isolated: Talks) -> None:
    talk = await isolated.ready()
    names = ["interrupts", "softirqs", "vmstat", "zoneinfo", "buddyinfo", "diskstats", "schedstat", "keys", "kallsyms"]
    names += ["key-users", "timer_list", "sched_debug", "latency_stats", "pressure/cpu", "sys/fs/file-nr", "irq/0"]
    read = (
        "result = {}\nfor name in event['names']:\n"
        "    try: result[name] = open('/proc/' + name, 'rb').read(64).decode()\n"
        "    except OSError as error: result[name] = ''"
    )
    assert {name for name, text in (await talk.run(read, names=names)).items() if text} == set()
    counted = await talk.run("result = [line.split()[1:] for line in open('/proc/stat') if line.startswith('cpu')]")
    assert len(counted) == 1 + (os.cpu_count() or 0)
    assert {number for line in counted for number in line} == {"0"}


async def test_neither_proc_nor_sys_can_be_written_or_unmasked(isolated: Talks) -> None:
    talk = await isolated.ready()
    names = ["sysrq-trigger", "sys/kernel/core_pattern", "sys/vm/drop_caches", "kcore", "kmsg", "self/uid_map"]
    refusals = await talk.run("result = [errno_of(open, '/proc/' + n, 'r+b') for n in event['names']]", names=names)
    assert set(refusals) <= {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOENT}
    assert await talk.run("result = errno_of(os.listdir, '/sys')") == errno.ENOENT
    assert await talk.run("result = errno_of(os.listdir, '/etc/proc.whole/proc')") in {errno.EACCES, 0}
    assert await talk.run("result = os.path.exists('/etc/proc.whole/proc/self')") is False
    assert await refused(talk, call("umount2(b'/proc/keys', 2)")) in {errno.EPERM, errno.ENOSYS}


async def test_the_place_in_the_tree_of_control_groups_is_hidden(isolated: Talks) -> None:
    talk = await isolated.ready()
    groups = (await talk.run("result = open('/proc/self/cgroup').read()")).splitlines()
    assert {line.split(":", 2)[2] for line in groups} == {"/"}


async def test_no_descriptor_of_the_platform_is_inherited(isolated: Talks) -> None:
    talk = await isolated.ready()
    shown = await talk.run("result = {n: os.readlink(f'/proc/self/fd/{n}') for n in os.listdir('/proc/self/fd')[:-1]}")
    kinds = {number: target.partition(":")[0] for number, target in shown.items() if number in "0123"}
    assert kinds == {"0": "/dev/null", "1": "pipe", "2": "pipe", "3": "socket"}
    assert set(shown) <= {"0", "1", "2", "3", "4"}  # 4: the directory that is being listed


async def test_the_control_socket_is_not_inherited_by_children(isolated: Talks) -> None:
    talk = await isolated.ready()
    listing = "result = subprocess.run(['sh', '-c', 'echo /proc/self/fd/*'], capture_output=True, text=True).stdout"
    assert await talk.run(listing, close_fds=False) is not None
    code = (
        "result = subprocess.run(['ls', '-l', '/proc/self/fd'], capture_output=True, text=True, close_fds=False).stdout"
    )
    assert "socket:" not in await talk.run(code)
    forked = (
        "r, w = os.pipe()\npid = os.fork()\nif pid == 0:\n"
        "    os.write(w, str(errno_of(os.fstat, 3)).encode()); os._exit(0)\n"
        "os.waitpid(pid, 0); result = int(os.read(r, 10))"
    )
    assert await talk.run(forked) == errno.EBADF


async def test_the_hosts_listeners_cannot_be_reached(isolated: Talks) -> None:
    talk = await isolated.ready()
    name = f"\0mayfly-{secrets.token_hex(8)}"
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.socket(socket.AF_UNIX) as abstract,
    ):
        abstract.bind(name)
        abstract.listen()
        port = server.getsockname()[1]
        connect = "errno_of(socket.socket().connect, ('127.0.0.1', event['port']))"
        assert await talk.run(f"result = {connect}", port=port) == errno.ECONNREFUSED
        connect = "errno_of(socket.socket(socket.AF_UNIX).connect, event['name'])"
        assert await talk.run(f"result = {connect}", name=name) == errno.ECONNREFUSED


async def test_there_is_no_network_but_loopback(isolated: Talks) -> None:
    talk = await isolated.ready()
    assert await talk.run("result = [name for _, name in socket.if_nameindex()]") == ["lo"]
    connect = "result = errno_of(socket.socket().connect, ('192.0.2.1', 80))"
    assert await talk.run(connect) == errno.ENETUNREACH


async def test_the_endpoint_is_accepted_by_the_server_alone(isolated: Talks) -> None:
    talk = await isolated.ready()
    endpoint = talk.sandbox.endpoint
    assert endpoint is not None
    loop = asyncio.get_running_loop()
    asking = asyncio.create_task(
        talk.run("s = socket.create_connection(('127.0.0.1', 4566)); s.sendall(b'ping'); result = s.recv(9).decode()")
    )
    connection, _ = await loop.sock_accept(endpoint)
    with connection:
        assert await loop.sock_recv(connection, 9) == b"ping"
        await loop.sock_sendall(connection, b"pong")
    assert await asking == "pong"
    taken = "result = errno_of(socket.socket().bind, ('127.0.0.1', 4566))"
    assert await talk.run(taken) == errno.EADDRINUSE


# What it must not do


async def test_the_code_and_the_system_are_read_only(isolated: Talks, layer: Path) -> None:
    talk = await isolated.ready(layers=(layer,))
    places = ["/var/task", "/opt", "/usr", "/etc", "/", "/var/runtime", "/var/tmp", "/home", "/dev", "/proc"]
    write = "result = [errno_of(open, place + '/x', 'w') for place in event['places']]"
    refusals = await talk.run(write, places=places)
    assert set(refusals) <= {errno.EROFS, errno.EACCES, errno.ENOENT}
    assert await talk.run("result = errno_of(os.chmod, '/var/task/lab.py', 0o777)") == errno.EROFS


@pytest.mark.parametrize(
    "attack",
    [
        call("mount(b'x', b'/tmp', b'tmpfs', 0, None)"),
        call("mount(None, b'/var/task', None, 4096 | 32, None)"),
        call("umount2(b'/proc', 2)"),
        call("unshare(0x10000000)"),
        call("unshare(0x00020000)"),
        call("setns(3, 0)"),
        call("chroot(b'/tmp')"),
        call("sethostname(b'evil', 4)"),
        call("ptrace(16, 1, 0, 0)"),
        call("syscall(250 if os.uname().machine == 'x86_64' else 219, 1, 0)"),
        call("syscall(321 if os.uname().machine == 'x86_64' else 280, 0, 0, 0)"),
        call("prctl(1, 0, 0, 0, 0)"),
        "errno_of(os.mknod, '/tmp/disk', 0o60600, os.makedev(254, 0))",
        "errno_of(os.setuid, 0)",
        "errno_of(os.setgroups, [0])",
        "errno_of(os.chown, '/tmp', 0, 0)",
        "errno_of(os.nice, -5)",
        "errno_of(socket.socket, 40, 1)",
        "errno_of(socket.socket, socket.AF_INET, socket.SOCK_RAW, 1)",
        "errno_of(socket.socket, 17, 3)",
        "errno_of(open, '/proc/sys/kernel/hostname', 'w')",
        "errno_of(open, '/proc/sysrq-trigger', 'w')",
        "errno_of(open, '/proc/kcore', 'rb')",
        "errno_of(os.open, '/dev/mem', 0)",
    ],
)
async def test_privileged_calls_are_refused(isolated: Talks, attack: str) -> None:
    talk = await isolated.ready()
    refusal = await refused(talk, attack)
    # EINVAL: the id of root does not exist in the user namespace.
    known = {"EPERM", "EACCES", "EROFS", "EAFNOSUPPORT", "ENOENT", "ENOSYS", "EINVAL"}
    assert errno.errorcode.get(refusal) in known


async def test_a_new_namespace_cannot_be_had_through_clone(isolated: Talks) -> None:
    talk = await isolated.ready()
    number = "56 if os.uname().machine == 'x86_64' else 220"
    assert await refused(talk, call(f"syscall({number}, 0x10000000 | 17, 0, 0, 0, 0)")) == errno.EPERM


async def test_no_capability_is_left_and_none_can_be_won(isolated: Talks) -> None:
    talk = await isolated.ready()
    status = await talk.run("result = open('/proc/self/status').read()")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0" * 16}
    assert (fields["NoNewPrivs"], fields["Seccomp"], fields["Groups"].strip()) == ("1", "2", "")
    assert int(fields["SigIgn"], 16) & 0x7FFFFFFF == 0x01001000  # SIGPIPE and SIGXFSZ, as Python has it


async def test_no_signal_is_ignored_because_the_server_was_started_in_the_background(tmp_path: Path) -> None:
    usual = {number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGHUP, signal.SIGQUIT)}
    try:
        factory = AgentFactory.launch(tmp_path)
    finally:
        for number, handler in usual.items():
            signal.signal(number, handler)
    async with contextlib.AsyncExitStack() as stack:
        stack.push_async_callback(factory.close)
        await factory.attach()
        await factory.prepare(RUNTIME, interpreters.current())
        talks = Talks(factory)
        stack.push_async_callback(talks.close)
        talk = await talks.ready()
        code = "import signal; result = [signal.getsignal(n).name for n in (signal.SIGHUP, signal.SIGQUIT)]"
        assert await talk.run(code) == ["SIG_DFL", "SIG_DFL"]


async def test_a_set_uid_program_gives_nothing(isolated: Talks) -> None:
    talk = await isolated.ready()
    code = (
        "import shutil; shutil.copy('/usr/bin/id', '/tmp/id'); os.chmod('/tmp/id', 0o4755)\n"
        "result = subprocess.run(['/tmp/id', '-u'], capture_output=True, text=True).stdout.strip()"
    )
    assert await talk.run(code) == str(await talk.run("result = os.getuid()"))


async def test_no_core_is_dumped_not_even_into_a_pipe(isolated: Talks) -> None:
    talk = await isolated.ready()
    # One byte: that limit alone ends what a machine's core_pattern pipes into a program.
    assert await talk.run("import resource; result = resource.getrlimit(resource.RLIMIT_CORE)") == [1, 1]
    crash = "p = subprocess.run(['sh', '-c', 'kill -SEGV $$'], cwd='/tmp'); result = [p.returncode, os.listdir('/tmp')]"
    assert await talk.run(crash) == [-signal.SIGSEGV, []]


async def test_what_the_kernel_keeps_for_a_user_is_limited(isolated: Talks) -> None:
    talk = await isolated.ready()
    names = ["RLIMIT_MEMLOCK", "RLIMIT_MSGQUEUE", "RLIMIT_SIGPENDING", "RLIMIT_RTPRIO"]
    numbers = [getattr(resource, name) for name in names]
    code = "import resource; result = [resource.getrlimit(kind) for kind in event['kinds']]"
    assert await talk.run(code, kinds=numbers) == [[8 << 20] * 2, [819_200] * 2, [4096] * 2, [0, 0]]


async def test_limits_cannot_be_raised(isolated: Talks) -> None:
    talk = await isolated.ready(open_files=256)
    assert await talk.run("import resource; result = resource.getrlimit(resource.RLIMIT_NOFILE)") == [256, 256]
    raising = "import resource\ntry: resource.setrlimit(resource.RLIMIT_NOFILE, (512, 512)); result = 'raised'\n"
    assert await talk.run(raising + "except (OSError, ValueError): result = 'refused'") == "refused"


# Whom it must not hurt


def processes_of(uid: int) -> list[int]:
    found = []
    for entry in os.listdir("/proc"):
        with contextlib.suppress(OSError):
            if entry.isdigit() and os.stat(f"/proc/{entry}").st_uid == uid:
                found.append(int(entry))
    return found


async def assert_harmless(isolated: Talks, code: str, processes: int = 1024) -> None:
    """Run an attack that does not answer; a sibling keeps answering meanwhile; afterwards nothing of it is left."""
    sibling = await isolated.ready()
    talk = await isolated.ready(processes=processes)
    uid = await talk.run("result = os.getuid()")
    await talk.send_invoke({"code": code})
    for number in range(20):
        assert await sibling.run(f"result = {number}") == number
    how = await talk.sandbox.discard()
    assert how.reason in {"killed", "out-of-memory"}
    assert processes_of(uid) == []
    assert await sibling.run("result = 'well'") == "well"


async def test_a_fork_bomb_hurts_only_itself(isolated: Talks) -> None:
    bomb = "while True:\n    try: os.fork()\n    except OSError: pass"
    await assert_harmless(isolated, bomb, processes=50)


async def test_a_fork_bomb_that_runs_out_of_memory_and_processors_is_gone_at_once(isolated: Talks) -> None:
    sibling = await isolated.ready()
    talk = await isolated.ready(memory_mb=MEMORY_MB, cpus=0.2)
    await talk.send_invoke({"code": "while True:\n    try: os.fork()\n    except OSError: pass"})
    async with asyncio.timeout(20):  # with nothing but its share of a processor to die with, it took minutes
        how = await talk.sandbox.exited()
    assert how.reason == "out-of-memory"
    assert await sibling.run("result = 1") == 1


async def test_processes_are_limited(isolated: Talks) -> None:
    talk = await isolated.ready(processes=20)
    count = (
        "pids = []\ntry:\n    while len(pids) < 100:\n        pid = os.fork()\n"
        "        if pid == 0: time.sleep(600)\n        pids.append(pid)\nexcept OSError: pass\nresult = len(pids)"
    )
    assert await talk.run(count) == 19


async def test_a_busy_loop_hurts_only_itself(isolated: Talks) -> None:
    await assert_harmless(isolated, "while True: pass")


async def test_memory_beyond_the_limit_ends_the_sandbox_and_says_why(isolated: Talks) -> None:
    sibling = await isolated.ready()
    talk = await isolated.ready(memory_mb=MEMORY_MB)
    await talk.send_invoke({"code": "hog = []\nwhile True: hog.append(b'x' * (1 << 20))"})
    how = await talk.sandbox.exited()
    assert how.reason == "out-of-memory"
    assert how.peak_memory_bytes == pytest.approx(MEMORY_MB << 20, rel=0.1)
    assert await sibling.run("result = 1") == 1


async def test_a_child_that_eats_all_memory_takes_the_whole_sandbox_with_it(isolated: Talks) -> None:
    talk = await isolated.ready(memory_mb=MEMORY_MB)
    hog = "hog = []\nwhile True: hog.append(b'x' * (1 << 20))"
    await talk.send_invoke({"code": "subprocess.Popen([sys.executable, '-c', event['hog']]).wait()", "hog": hog})
    assert (await talk.sandbox.exited()).reason == "out-of-memory"


async def test_code_that_nobody_may_read_is_refused_at_the_start(isolated: Talks, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o700)
    with pytest.raises(SandboxStartError, match="Permission denied: '/var/task'"):
        await isolated.start(tmp_path)


async def test_a_full_tmp_is_an_error_of_its_own_function(isolated: Talks) -> None:
    talk = await isolated.ready(memory_mb=512, ephemeral_mb=64)
    fill = (
        "with open('/tmp/big', 'wb') as file:\n"
        "    result = errno_of(lambda: [file.write(bytes(1 << 20)) for _ in range(100)])\n"
        "    try: file.close()\n    except OSError: pass"
    )
    assert await talk.run(fill) == errno.ENOSPC
    assert await talk.run("result = os.stat('/tmp/big').st_size >> 20") <= 64
    files = "result = errno_of(lambda: [open(f'/tmp/{n}', 'w').close() for n in range(100_000)])"
    assert await talk.run(files) == errno.ENOSPC
    sibling = await isolated.ready(ephemeral_mb=64)
    assert await sibling.run("result = open('/tmp/x', 'wb').write(bytes(1 << 20))") == 1 << 20


async def test_what_is_in_tmp_counts_as_memory(isolated: Talks) -> None:
    talk = await isolated.ready(memory_mb=MEMORY_MB, ephemeral_mb=512)
    await talk.send_invoke({"code": "with open('/tmp/big', 'wb') as file:\n    while True: file.write(bytes(1 << 20))"})
    assert (await talk.sandbox.exited()).reason == "out-of-memory"


async def test_a_daemon_that_forked_twice_is_gone_after_discard(isolated: Talks) -> None:
    talk = await isolated.ready()
    uid = await talk.run("result = os.getuid()")
    daemon = (
        "import signal\nr, w = os.pipe()\nif os.fork() == 0:\n    os.setsid()\n    if os.fork() == 0:\n"
        "        for n in (1, 2, 3, 15): signal.signal(n, signal.SIG_IGN)\n"
        "        os.write(w, b'x'); time.sleep(3600)\n    os._exit(0)\nos.read(r, 1)"
    )
    await talk.run(daemon)
    assert len(processes_of(uid)) >= 2
    await talk.sandbox.discard()
    assert processes_of(uid) == []


async def test_adopted_children_are_buried_and_own_ones_stay_waitable(isolated: Talks) -> None:
    talk = await isolated.ready()
    states = "[open(f'/proc/{p}/stat').read().split()[2] for p in os.listdir('/proc') if p.isdigit()]"
    start = (
        "import builtins\nbuiltins.own = subprocess.Popen(['true'])\n"
        "for _ in range(5): subprocess.run(['sh', '-c', 'sleep 0.01 & true'])\nbuiltins.pid = os.fork()\n"
        f"if builtins.pid == 0: os._exit(3)\nwhile {states}.count('Z') < 7: time.sleep(0.001)"
    )
    await talk.run(start)
    assert (await talk.run(f"result = {states}")).count("Z") == 2
    code = "import builtins\nresult = [builtins.own.wait(), os.waitstatus_to_exitcode(os.waitpid(builtins.pid, 0)[1])]"
    assert await talk.run(code) == [0, 3]


async def test_garbage_on_the_control_socket_reaches_nobody_else(isolated: Talks) -> None:
    sibling = await isolated.ready()
    talk = await isolated.ready()
    await talk.send_invoke({"code": "os.write(3, b'\\xff' * 4096)"})
    with pytest.raises(ValueError, match="limits"):
        await talk.receive()
    assert await sibling.run("result = 1") == 1


async def test_output_cannot_be_mistaken_for_an_answer(isolated: Talks) -> None:
    talk = await isolated.ready()
    forged = r"os.write(1, b'\0\x12\0\0\0\0\0\1' + b'\0' * 7 + b'\x011'); os.write(2, b'!'); result = 'true answer'"
    assert await talk.run(forged) == "true answer"
