"""What hostile code tries, one function an attempt; it runs inside sandboxes, and says what came of it.

An attempt answers the number of the error that stopped it, 0 when it got through, or what it found. All but those in
`HERE` run in a child, so that one which succeeds spoils nothing for the next.
"""

import contextlib
import ctypes
import json
import os
import resource
import signal
import socket
import stat
import struct
import time
from collections.abc import Callable
from typing import Any

LIBC = ctypes.CDLL(None, use_errno=True)


def run(event: dict[str, Any], context: Any) -> Any:
    """Make the attempt `event["attempt"]` with the arguments `event["with"]`."""
    attempt = globals()[event["attempt"]]
    given = event.get("with", {})
    return attempt(**given) if attempt in HERE else in_child(attempt, given)


def in_child(attempt: Callable[..., Any], given: dict[str, Any]) -> Any:
    receiving, sending = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            found = attempt(**given)
        except OSError as error:
            found = error.errno
        except BaseException as error:
            found = repr(error)
        os.write(sending, json.dumps(found).encode())
        os._exit(0)
    os.close(sending)
    answer = b""
    while part := os.read(receiving, 1 << 16):
        answer += part
    os.close(receiving)
    status = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    return json.loads(answer) if answer else f"ended by {status}"


def errno_of(action: Callable[..., Any], *arguments: Any) -> int:
    try:
        action(*arguments)
    except OSError as error:
        return error.errno or -1
    return 0


# The kernel


def system_call(number: int, arguments: list[Any]) -> int:
    """Numbers are numbers, strings are pointers to them, lists are pointers to zeros, as many as their first item."""
    made: list[Any] = []
    for argument in arguments:
        if isinstance(argument, str):
            made.append(ctypes.create_string_buffer(argument.encode()))
        elif isinstance(argument, list):
            made.append(ctypes.create_string_buffer(argument[0]))
        else:
            made.append(ctypes.c_ulong(argument & 0xFFFFFFFFFFFFFFFF))
    LIBC.syscall.restype = ctypes.c_long
    return ctypes.get_errno() if LIBC.syscall(ctypes.c_long(number), *made) < 0 else 0


def clone(number: int, flags: int) -> int:
    LIBC.syscall.restype = ctypes.c_long
    pid = LIBC.syscall(ctypes.c_long(number), ctypes.c_ulong(flags | signal.SIGCHLD), 0, 0, 0, 0)
    if pid == 0:
        os._exit(0)
    return ctypes.get_errno() if pid < 0 else 0


def join_namespace(number: int, kind: str) -> int:
    with open(f"/proc/self/ns/{kind}") as namespace:
        return system_call(number, [namespace.fileno(), 0])


def trace_the_bootstrap(number: int) -> int:
    return system_call(number, [0x4206, os.getppid(), 0, 0])  # PTRACE_SEIZE


def read_the_bootstrap(number: int) -> int:
    """process_vm_readv."""
    there = ctypes.create_string_buffer(8)
    vector = (ctypes.c_ulong * 2)(ctypes.addressof(there), 8)
    LIBC.syscall.restype = ctypes.c_long
    read = LIBC.syscall(ctypes.c_long(number), os.getppid(), vector, ctypes.c_ulong(1), vector, ctypes.c_ulong(1), 0)
    return ctypes.get_errno() if read < 0 else 0


def raise_a_capability() -> dict[str, int]:
    """Ambient, through a set-up of the inheritable ones, and back into the bounding set."""
    ambient = LIBC.prctl(47, 2, 21, 0, 0)
    first = ctypes.get_errno() if ambient < 0 else 0
    header, data = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)(*[0xFFFFFFFF] * 6)
    second = ctypes.get_errno() if LIBC.capset(header, data) < 0 else 0
    return {"ambient": first, "capset": second}


def privileges() -> dict[str, str]:
    with open("/proc/self/status") as status:
        fields = dict(line.rstrip("\n").split(":\t", 1) for line in status if ":\t" in line)
    return {name: fields.get(name, "not told").strip() for name in ("CapEff", "CapPrm", "CapBnd", "CapAmb")}


# Files


def open_file(path: str, flags: int = 0) -> int:
    return errno_of(lambda: os.close(os.open(path, flags)))


def write_file(path: str, text: str) -> int:
    def write() -> None:
        descriptor = os.open(path, os.O_WRONLY)
        os.write(descriptor, text.encode())

    return errno_of(write)


def read_some(path: str) -> Any:
    try:
        with open(path, "rb", buffering=0) as file:
            return file.read(4096).decode("latin-1")
    except OSError as error:
        return error.errno


def listed(path: str) -> Any:
    try:
        return sorted(os.listdir(path))
    except OSError as error:
        return error.errno


def look_for(needle: str, roots: list[str]) -> list[str]:
    """Files whose name or beginning shows `needle`, not deep below `roots`."""
    found = []
    for root in roots:
        for directory, below, names in os.walk(root):
            below[:] = below if directory.count("/") < 3 else []
            for name in names:
                path = os.path.join(directory, name)
                with contextlib.suppress(OSError):
                    if needle in name or (stat.S_ISREG(os.stat(path).st_mode) and needle in str(read_some(path))):
                        found.append(path)
    return found


def processes() -> dict[str, Any]:
    """Of every process in sight whether it is this user's, and its variables."""
    return {
        pid: [os.stat(f"/proc/{pid}").st_uid == os.getuid(), read_some(f"/proc/{pid}/environ")]
        for pid in os.listdir("/proc")
        if pid.isdigit()
    }


def process_files(pid: int) -> dict[str, Any]:
    names = ["environ", "cmdline", "stat", "maps", "mem", "root/etc/shadow", "cwd", "fd", "io", "schedstat", "stack"]
    return {name: errno_of(os.stat, f"/proc/{pid}/{name}") for name in names}


def make_device(kind: int, major: int, minor: int) -> list[int]:
    """The error of making one, and that of opening it."""
    with contextlib.suppress(OSError):
        os.unlink("/tmp/device")
    return [errno_of(os.mknod, "/tmp/device", kind | 0o600, os.makedev(major, minor)), open_file("/tmp/device")]


def devices() -> list[str]:
    found = []
    for directory, names, files in os.walk("/dev"):
        for name in (*names, *files):
            path = os.path.join(directory, name)
            mode = os.lstat(path).st_mode
            if stat.S_ISCHR(mode) or stat.S_ISBLK(mode):
                found.append(path)
    return sorted(found)


def give_capability_to_a_file() -> int:
    """security.capability, version 2, all of them, effective."""
    with open("/tmp/program", "w"):
        pass
    data = struct.pack("<IIIII", 0x02000001, 0xFFFFFFFF, 0, 0xFFFFFFFF, 0)
    return errno_of(os.setxattr, "/tmp/program", "security.capability", data)


def run_set_uid(owner: int) -> Any:
    """A copy of `id`, set-user-id; owned by the sandbox's user, or, if that can be had, by root."""
    with open("/usr/bin/id", "rb") as source, open("/tmp/id", "wb") as copy:
        copy.write(source.read())
    refused = errno_of(os.chown, "/tmp/id", owner, owner)
    os.chmod("/tmp/id", 0o4755)
    pipe = os.popen("/tmp/id -u")
    return {"chown": refused, "id": pipe.read().strip(), "own": str(os.getuid())}


def run_su() -> Any:
    """Whether a process that runs `su`, which is set-user-id root, is this user in every regard."""
    stdin, keep = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.dup2(stdin, 0)
        os.execv("/usr/bin/su", ["su", "root"])
    try:
        until = time.monotonic() + 10
        while time.monotonic() < until:  # until it is another program; it then waits for a password
            with open(f"/proc/{pid}/status") as status:
                fields = dict(line.split(":\t", 1) for line in status if ":\t" in line)
            if fields["Name"].strip() == "su":
                return {int(user) for user in fields["Uid"].split()[:3]} == {os.getuid()}
            if os.waitpid(pid, os.WNOHANG)[0]:
                pid = 0
                return "ended"
            time.sleep(0.001)
        return "never ran"
    finally:
        os.close(keep)
        if pid:
            os.kill(pid, signal.SIGKILL)
            os.waitpid(pid, 0)


def become(user: int) -> dict[str, int]:
    return {
        "setuid": errno_of(os.setuid, user),
        "setgid": errno_of(os.setgid, user),
        "setgroups": errno_of(os.setgroups, [user]),
        "setresuid": errno_of(os.setresuid, user, user, user),
    }


def write_the_bootstraps_memory() -> Any:
    """From a child: what the process that speaks with the server holds is its own."""
    return open_file(f"/proc/{os.getppid()}/mem", os.O_RDWR)


def read_only_places(places: list[str]) -> dict[str, int]:
    def make(place: str) -> None:
        with open(os.path.join(place, "planted"), "w"):
            pass

    return {place: errno_of(make, place) for place in places}


def climb_out() -> list[str]:
    """`..` from the root, and from a directory that is held open."""
    held = os.open("/", os.O_RDONLY)
    os.fchdir(held)
    for _ in range(16):
        os.chdir("..")
    return sorted(os.listdir("."))


# Descriptors


def descriptors() -> dict[str, str]:
    """Kind by number, of all that are open, but for the one that lists them."""
    listing = os.open("/proc/self/fd", os.O_RDONLY | os.O_DIRECTORY)
    return {name: kind_of(int(name)) for name in os.listdir(listing) if int(name) != listing and alive(int(name))}


def alive(number: int) -> bool:
    return errno_of(os.fstat, number) == 0


def kind_of(number: int) -> str:
    target = os.readlink(f"/proc/self/fd/{number}")
    return target if target.startswith("/") else target.partition(":")[0]


# The network


def socket_of(family: int, kind: int, protocol: int) -> int:
    return errno_of(lambda: socket.socket(family, kind, protocol).close())


def ping() -> int:
    def send() -> None:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP) as echo:
            echo.sendto(struct.pack("!BBHHH", 8, 0, 0xF7FE, 0, 1), ("192.0.2.1", 0))

    return errno_of(send)


def netlink(kind: int, body: str) -> int:
    """Ask the kernel's routing to change something; the error that it answers."""
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE) as routes:
        message = bytes.fromhex(body)
        routes.settimeout(5)
        routes.send(struct.pack("=IHHII", 16 + len(message), kind, 0x0005 | 0x400, 1, 0) + message)
        answer = routes.recv(4096)
        (error,) = struct.unpack_from("=i", answer, 16)
        return -int(error)


def connect(address: str, port: int, family: int = socket.AF_INET) -> int:
    with socket.socket(family) as out:
        out.settimeout(3)
        return out.connect_ex((address, port))


def send_datagram(address: str, port: int) -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        return errno_of(out.sendto, b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x01a\0\0\x01\0\x01", (address, port))


def resolve(name: str) -> int:
    try:
        socket.getaddrinfo(name, 443)
    except socket.gaierror as error:
        return error.errno or -1
    return 0


def connect_abstract(name: str) -> int:
    with socket.socket(socket.AF_UNIX) as out:
        return out.connect_ex("\0" + name)


def listen_abstract(name: str) -> int:
    listener = socket.socket(socket.AF_UNIX)
    HELD.append(listener)
    refused = errno_of(listener.bind, "\0" + name)
    return refused or errno_of(listener.listen)


def interfaces() -> list[str]:
    return [name for _, name in socket.if_nameindex()]


def take_port(port: int) -> int:
    with socket.socket() as listener:
        return errno_of(listener.bind, ("127.0.0.1", port))


# Others


def send_signal(pid: int, number: int) -> int:
    return errno_of(os.kill, pid, number)


def limit_of(pid: int) -> int:
    return errno_of(resource.prlimit, pid, resource.RLIMIT_NOFILE)


def set_priority(pid: int) -> int:
    return errno_of(os.setpriority, os.PRIO_PROCESS, pid, 5)


def pin(pid: int) -> int:
    return errno_of(os.sched_setaffinity, pid, {0})


def hold_process(pid: int) -> int:
    return errno_of(os.pidfd_open, pid)


def nicer(by: int) -> int:
    return errno_of(os.nice, by)


def real_time() -> int:
    return errno_of(os.sched_setscheduler, 0, os.SCHED_FIFO, os.sched_param(10))


def shared_memory(key: int, flags: int) -> int:
    return ctypes.get_errno() if LIBC.shmget(key, 4096, flags) < 0 else 0


def message_queue(name: str, flags: int) -> int:
    return ctypes.get_errno() if LIBC.mq_open(name.encode(), flags, 0o666, None) < 0 else 0


def type_into_the_terminal() -> int:
    """TIOCSTI on the controlling terminal."""
    import fcntl

    terminal = os.open("/dev/tty", os.O_RDWR)
    fcntl.ioctl(terminal, 0x5412, b"x")
    return 0


def type_into_the_platforms_descriptors() -> list[int]:
    """TIOCSTI on whatever was left open."""
    import fcntl

    return [errno_of(fcntl.ioctl, number, 0x5412, b"x") for number in (0, 1, 2)]


# Control groups


def own_group() -> list[str]:
    with open("/proc/self/cgroup") as file:
        return sorted({line.rstrip("\n").split(":", 2)[2] for line in file})


def groups_in_sight() -> list[str]:
    """File systems of control groups, and places where they usually are."""
    with open("/proc/self/mounts") as file:
        mounted = [line.split()[1] for line in file if line.split()[2].startswith("cgroup")]
    return mounted + [path for path in ("/sys/fs/cgroup", "/cgroup") if os.path.exists(path)]


# Exhaustion that the kernel answers with an error


def fill_descriptors() -> Any:
    opened: list[int] = []
    try:
        while len(opened) < 100_000:
            opened.append(os.dup(0))
    except OSError as error:
        return {"errno": error.errno, "opened": len(opened)}
    return {"errno": 0, "opened": len(opened)}


def fill_processes() -> Any:
    children: list[int] = []
    refused = 0
    try:
        while len(children) < 500:
            pid = os.fork()
            if pid == 0:
                time.sleep(600)
            children.append(pid)
    except OSError as error:
        refused = error.errno or -1
    for pid in children:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)
    return {"errno": refused, "started": len(children)}


def fill_tmp(mebibytes: int) -> int:
    return fill("/tmp/big", mebibytes)


def fill_shared_memory(mebibytes: int) -> int:
    return fill("/dev/shm/big", mebibytes)


def fill(path: str, mebibytes: int) -> int:
    try:
        with open(path, "wb", buffering=0) as file:
            file.writelines(bytes(1 << 20) for _ in range(mebibytes))
    except OSError as error:
        return error.errno or -1
    finally:
        os.unlink(path)
    return 0


def fill_inodes(count: int) -> Any:
    os.mkdir("/tmp/many")
    made, refused = 0, 0
    try:
        for number in range(count):
            os.close(os.open(f"/tmp/many/{number}", os.O_CREAT | os.O_WRONLY))
            made += 1
    except OSError as error:
        refused = error.errno or -1
    for number in range(made):
        os.unlink(f"/tmp/many/{number}")
    return refused


def take_memory(how: str) -> int:
    """Memory without end, by one of the ways to it."""
    held: list[Any] = []
    if how == "heap":
        while True:
            held.append(b"x" * (1 << 20))
    if how == "memfd":
        descriptor = os.memfd_create("hog")
        while True:
            os.write(descriptor, bytes(1 << 20))
    if how == "files":
        descriptor = os.open("/tmp/hog", os.O_CREAT | os.O_WRONLY)
        while True:
            os.write(descriptor, bytes(1 << 20))
    LIBC.shmat.restype = ctypes.c_void_p
    while True:  # System V
        place = LIBC.shmat(LIBC.shmget(0, 16 << 20, 0o1600), None, 0)
        if place is None or place == ctypes.c_void_p(-1).value:
            return ctypes.get_errno()
        ctypes.memset(place, 1, 16 << 20)


def lock_memory() -> int:
    LIBC.mmap.restype = ctypes.c_void_p
    place = LIBC.mmap(None, ctypes.c_size_t(64 << 20), 3, 0x22, -1, 0)
    return ctypes.get_errno() if LIBC.mlock(ctypes.c_void_p(place), ctypes.c_size_t(64 << 20)) < 0 else 0


def raise_limits() -> list[Any]:
    """What raising each limit by one is answered: the error, or the new limit."""
    answers: list[Any] = []
    for kind in (resource.RLIMIT_NOFILE, resource.RLIMIT_CORE, resource.RLIMIT_MEMLOCK, resource.RLIMIT_MSGQUEUE):
        _, hard = resource.getrlimit(kind)
        try:
            resource.setrlimit(kind, (hard, hard + 1))
            answers.append("raised")
        except (ValueError, OSError):
            answers.append("refused")
    return answers


def dump_core() -> list[Any]:
    os.chdir("/tmp")
    pid = os.fork()
    if pid == 0:
        os.kill(os.getpid(), signal.SIGSEGV)
    status = os.waitpid(pid, 0)[1]
    return [os.WTERMSIG(status), sorted(name for name in os.listdir("/tmp") if "core" in name)]


def fork_for_ever() -> None:
    while True:
        with contextlib.suppress(OSError):
            os.fork()


def burn() -> None:
    while True:
        pass


def flood() -> None:
    line = b"x" * 4095 + b"\n"
    while True:
        os.write(1, line)


def signal_everybody() -> int:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return errno_of(os.kill, -1, signal.SIGTERM)


def hold_connections(port: int, count: int) -> int:
    """Connections that begin a request and never end it; how many could be made."""
    made = 0
    with contextlib.suppress(OSError):
        while made < count:
            slow = socket.create_connection(("127.0.0.1", port), 2)
            slow.sendall(b"POST / HTTP/1.1\r\nhost: x\r\ncontent-le")
            HELD.append(slow)
            made += 1
    return made


def forge(frame: str) -> str:
    """What the bootstrap alone should say, said by the function on the bootstrap's own socket."""
    os.write(3, bytes.fromhex(frame))
    return "true answer"


def write_to_the_control_socket() -> int:
    """From a child."""
    return errno_of(os.write, 3, b"\xff" * 64)


def own_variable(name: str) -> "str | None":
    return os.environ.get(name)


def own_user() -> int:
    return os.getuid()


def in_a_namespace_of_its_own(number: int) -> Any:
    """What a new user namespace, with mount and network ones, gives: all capabilities, over nothing but itself."""
    refused = system_call(number, [0x10000000 | 0x00020000 | 0x40000000])
    if refused:
        return refused
    return {
        "raw": socket_of(socket.AF_INET, socket.SOCK_RAW, 1),
        "shadow": open_file("/etc/shadow"),
        "network": [name for name in interfaces() if name != "lo"],
    }


HELD: list[Any] = []
HERE = {
    *(listen_abstract, hold_connections, forge, fork_for_ever, burn, flood, take_memory, descriptors, processes),
    signal_everybody,
}
