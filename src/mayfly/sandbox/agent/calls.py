"""The system calls of functions: which are allowed, by what needs them, and which are refused on purpose.

The list of what is allowed is a union: what glibc, musl, CPython, Node (libuv and V8), the JVM, Ruby, Go and static C
programs call to compute, use files below /tmp, start processes and threads, and speak TCP on their loopback. It was
compared with the default profiles of the common container runtimes; what is narrower here is so because a function
needs no administration at all, not even as root of a container.

Three answers exist for what is not allowed:

- ENOSYS, silently, for `FALLBACKS`: libraries try these and do without, so telling of it would be noise.
- EPERM for `REFUSED`: the privileged and the dangerous, by name. That an unprivileged program may not do them is what
  any program expects.
- ENOSYS for all else, calls of newer kernels above all: a library that tries one falls back to the older one.

The last two are told to the operator, by name (see `sandbox.denials`). Arguments are `seccomp`'s matter.
"""

from __future__ import annotations

_FILES = (
    *("open", "openat", "openat2", "creat", "close", "close_range", "read", "pread64", "readv", "preadv", "preadv2"),
    *("write", "pwrite64", "writev", "pwritev", "pwritev2", "lseek", "_llseek", "dup", "dup2", "dup3", "fcntl"),
    *("fcntl64", "flock", "ioctl", "fsync", "fdatasync", "sync_file_range", "sync_file_range2", "sync", "syncfs"),
    *("truncate", "truncate64", "ftruncate", "ftruncate64", "fallocate", "fadvise64", "fadvise64_64", "readahead"),
    *("stat", "stat64", "fstat", "fstat64", "lstat", "lstat64", "newfstatat", "fstatat64", "statx", "statfs"),
    *("statfs64", "fstatfs", "fstatfs64", "access", "faccessat", "faccessat2", "getdents", "getdents64", "getcwd"),
    *("chdir", "fchdir", "mkdir", "mkdirat", "rmdir", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *("symlinkat", "unlink", "unlinkat", "readlink", "readlinkat", "umask", "chmod", "fchmod", "fchmodat"),
    *("fchmodat2", "chown", "fchown", "lchown", "fchownat", "utime", "utimes", "utimensat", "futimesat"),
    *("utimensat_time64", "mknod", "mknodat", "getxattr", "lgetxattr", "fgetxattr", "listxattr", "llistxattr"),
    *("flistxattr", "setxattr", "lsetxattr", "fsetxattr", "removexattr", "lremovexattr", "fremovexattr"),
    *("sendfile", "sendfile64", "copy_file_range", "splice", "tee", "cachestat", "getxattrat", "listxattrat"),
    # libaio and databases; completion is bound to the process, unlike io_uring's
    *("io_setup", "io_destroy", "io_submit", "io_getevents", "io_pgetevents", "io_cancel", "mq_open", "mq_unlink"),
    *("mq_timedsend", "mq_timedreceive", "mq_notify", "mq_getsetattr", "mq_timedsend_time64"),
    "mq_timedreceive_time64",
)
_WAITING = (
    *("select", "_newselect", "pselect6", "pselect6_time64", "poll", "ppoll", "ppoll_time64", "epoll_create"),
    *("epoll_create1", "epoll_ctl", "epoll_wait", "epoll_pwait", "epoll_pwait2", "eventfd", "eventfd2", "signalfd"),
    *("signalfd4", "timerfd_create", "timerfd_settime", "timerfd_gettime", "timerfd_settime64", "timerfd_gettime64"),
    *("inotify_init", "inotify_init1", "inotify_add_watch", "inotify_rm_watch", "pipe", "pipe2", "pause"),
)
_MEMORY = (
    *("brk", "mmap", "mmap2", "munmap", "mremap", "mprotect", "madvise", "msync", "mincore", "mlock", "mlock2"),
    *("munlock", "mlockall", "munlockall", "memfd_create", "membarrier", "pkey_alloc", "pkey_free", "pkey_mprotect"),
    *("remap_file_pages", "mseal", "map_shadow_stack"),
)
_PROCESSES = (
    *("clone", "fork", "vfork", "execve", "execveat", "exit", "exit_group", "wait4", "waitid", "waitpid"),
    *("set_tid_address", "set_robust_list", "get_robust_list", "rseq", "futex", "futex_time64", "futex_waitv"),
    *("futex_wake", "futex_wait", "futex_requeue", "arch_prctl", "set_thread_area", "get_thread_area", "set_tls"),
    *("cacheflush", "riscv_flush_icache", "riscv_hwprobe", "getpid", "getppid", "gettid", "getpgid", "getpgrp"),
    *("getsid", "setpgid", "setsid", "prctl", "sched_yield", "sched_getaffinity", "sched_setaffinity"),
    *("sched_getparam", "sched_setparam", "sched_getscheduler", "sched_setscheduler", "sched_getattr"),
    *("sched_setattr", "sched_get_priority_max", "sched_get_priority_min", "sched_rr_get_interval"),
    *("sched_rr_get_interval_time64", "getpriority", "setpriority", "nice", "ioprio_get", "ioprio_set", "getrlimit"),
    *("ugetrlimit", "setrlimit", "prlimit64", "getrusage", "times", "getcpu", "pidfd_open", "pidfd_send_signal"),
    *("process_mrelease", "restart_syscall", "rseq_slice_yield"),
)
_SIGNALS = (
    *("kill", "tkill", "tgkill", "rt_sigaction", "rt_sigprocmask", "rt_sigpending", "rt_sigqueueinfo"),
    *("rt_tgsigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_sigtimedwait_time64"),
    *("sigaltstack", "sigaction", "sigpending", "sigprocmask", "sigreturn", "sigsuspend", "signal", "alarm"),
)
_TIME = (
    *("time", "gettimeofday", "clock_gettime", "clock_gettime64", "clock_getres", "clock_getres_time64", "nanosleep"),
    *("clock_nanosleep", "clock_nanosleep_time64", "getitimer", "setitimer", "timer_create", "timer_delete"),
    *("timer_getoverrun", "timer_gettime", "timer_gettime64", "timer_settime", "timer_settime64"),
)
# What a process is. None of these can win anything: there are no capabilities, and one id exists. Programs that are
# used to start as root set theirs, so they are told no by the kernel, as on any machine, and not by the filter.
_IDENTITY = (
    *("getuid", "geteuid", "getgid", "getegid", "getresuid", "getresgid", "getgroups", "capget", "setuid", "setgid"),
    *("setreuid", "setregid", "setresuid", "setresgid", "setfsuid", "setfsgid", "setgroups", "capset", "uname"),
    *("sysinfo", "getrandom", "seccomp"),  # with seccomp, a program can take more away from itself
)
_SOCKETS = (
    *("socketpair", "bind", "connect", "listen", "accept", "accept4", "getsockname", "getpeername"),
    *("getsockopt", "setsockopt", "shutdown", "sendto", "recvfrom", "sendmsg", "recvmsg", "sendmmsg", "recvmmsg"),
    *("recvmmsg_time64", "send", "recv"),
)
# System V; its objects are in the sandbox's own IPC namespace.
_SHARING = (
    *("shmget", "shmat", "shmdt", "shmctl", "semget", "semop", "semctl", "semtimedop", "semtimedop_time64", "msgget"),
    *("msgsnd", "msgrcv", "msgctl", "ipc"),
)

ALLOWED = (
    *_FILES,
    *_WAITING,
    *_MEMORY,
    *_PROCESSES,
    *_SIGNALS,
    *_TIME,
    *_IDENTITY,
    *_SOCKETS,
    *_SHARING,
)

# Tried by libraries that do without. The flags of clone3 are in memory, where a filter cannot look, so C libraries have
# to fall back to clone; placing memory on nodes is libnuma's and the JVM's; the rest is for programs that would
# restrict themselves.
FALLBACKS = (
    *("clone3", "get_mempolicy", "set_mempolicy", "mbind", "set_mempolicy_home_node", "landlock_create_ruleset"),
    *("landlock_add_rule", "landlock_restrict_self", "fanotify_mark", "uretprobe", "uprobe"),
)

_NAMESPACES_AND_MOUNTS = (
    *("mount", "umount", "umount2", "pivot_root", "chroot", "open_tree", "move_mount", "fsopen", "fsconfig"),
    *("fsmount", "fspick", "mount_setattr", "open_tree_attr", "unshare", "setns", "statmount", "listmount"),
    *("listns", "open_by_handle_at", "name_to_handle_at", "quotactl", "quotactl_fd", "swapon", "swapoff"),
)
_OTHER_PROCESSES = (
    *("ptrace", "process_vm_readv", "process_vm_writev", "process_madvise", "kcmp", "pidfd_getfd", "move_pages"),
    *("migrate_pages", "perf_event_open", "lookup_dcookie"),
)
# Parts of the kernel in which many errors were found, and which nothing that functions run cannot do without.
_SURFACE = (
    *("bpf", "userfaultfd", "io_uring_setup", "io_uring_enter", "io_uring_register", "keyctl", "add_key"),
    *("request_key", "fanotify_init", "vmsplice", "memfd_secret", "modify_ldt", "vm86", "vm86old", "lsm_set_self_attr"),
    *("lsm_get_self_attr", "lsm_list_modules", "personality"),
)
_THE_MACHINE = (
    *("reboot", "kexec_load", "kexec_file_load", "init_module", "finit_module", "delete_module", "create_module"),
    *("get_kernel_syms", "query_module", "iopl", "ioperm", "acct", "syslog", "vhangup", "sethostname"),
    *("setdomainname", "settimeofday", "clock_settime", "clock_settime64", "clock_adjtime", "clock_adjtime64"),
    *("adjtimex", "stime", "uselib", "ustat", "sysfs", "_sysctl", "nfsservctl", "bdflush", "afs_syscall", "tuxcall"),
    *("getpmsg", "putpmsg", "security", "epoll_ctl_old", "epoll_wait_old", "file_getattr", "file_setattr"),
)
REFUSED = (*_NAMESPACES_AND_MOUNTS, *_OTHER_PROCESSES, *_SURFACE, *_THE_MACHINE)
