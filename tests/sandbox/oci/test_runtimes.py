"""Which program gives a level, how it is called, and what its container is told to be."""

import os
from pathlib import Path

import pytest

from mayfly.sandbox.api import SandboxUnavailableError
from mayfly.sandbox.oci import config, runtimes


def program(directory: Path, name: str) -> str:
    path = directory / name
    path.write_text("")
    path.chmod(0o755)
    return str(path)


@pytest.mark.parametrize(("level", "package"), [("container", "Debian and Fedora: crun"), ("gvisor", "Debian: runsc")])
def test_a_runtime_that_is_not_installed_is_named_with_its_package(tmp_path: Path, level: str, package: str) -> None:
    with pytest.raises(SandboxUnavailableError, match=f"the level '{level}' needs .*{package}"):
        runtimes.locate(level, str(tmp_path))


def test_containers_are_made_by_crun_and_else_by_runc(tmp_path: Path) -> None:
    program(tmp_path, "runc")
    assert runtimes.locate("container", str(tmp_path)).family == "runc"
    program(tmp_path, "crun")
    assert runtimes.locate("container", str(tmp_path)).options == ("--cgroup-manager=disabled",)


def test_platforms_of_gvisor_are_tried_unless_one_is_chosen() -> None:
    tried = runtimes.candidates(runtimes.made("gvisor", "/usr/bin/runsc"))
    assert [one.options[0] for one in tried] == ["--platform=systrap", "--platform=ptrace"]
    chosen = runtimes.made("gvisor", "/usr/bin/runsc", ("--platform=kvm",))
    assert runtimes.candidates(chosen) == (chosen,)


def test_an_unknown_runtime_is_tried_without_privileges_first_and_says_so() -> None:
    first, second = runtimes.candidates(runtimes.made("kata", "/opt/kata-runtime"))
    assert (first.privileged, second.privileged) == (False, True)
    assert "user namespace with two unprivileged ids" in first.layers
    assert "user namespace with two unprivileged ids" not in second.layers


def test_only_who_has_a_kernel_of_its_own_needs_no_filter() -> None:
    inside = config.Inside("/root", "/base", ("/bin/true",), "/", 1051, 64, 128, filtered=True)
    filtered = config.configuration(inside)
    assert filtered["linux"]["seccomp"]["defaultAction"] != "SCMP_ACT_ALLOW"
    assert "seccomp" not in config.configuration(inside._replace(filtered=False))["linux"]


def test_a_container_has_no_privileges_and_no_terminal() -> None:
    process = config.configuration(config.Inside("/root", "/base", ("/bin/true",), "/", 1051, 64, 128, filtered=True))[
        "process"
    ]
    assert process["noNewPrivileges"] is True
    assert set(map(tuple, process["capabilities"].values())) == {()}
    assert (process["terminal"], process["user"]["uid"]) == (False, 1051)
    assert {limit["type"]: limit["hard"] for limit in process["rlimits"]}["RLIMIT_NOFILE"] == 128


def test_what_is_written_to_is_of_the_size_that_was_asked_for() -> None:
    made = config.configuration(config.Inside("/root", "/base", ("/bin/true",), "/", 1051, 64, 128, filtered=True))
    assert made["root"] == {"path": "/root", "readonly": True}
    (temporary,) = (mount for mount in made["mounts"] if mount["destination"] == f"{os.sep}tmp")
    assert "size=64m" in temporary["options"]


def test_who_mounts_nothing_below_proc_but_a_few_files_hides_the_rest() -> None:
    inside = config.Inside("/root", "/base", ("/bin/true",), "/", 1051, 64, 128, filtered=True)
    for anywhere in (False, True):
        made = config.configuration(inside._replace(mounts_anywhere=anywhere))
        shown = {mount["destination"] for mount in made["mounts"]}
        assert "/proc/stat" in shown
        assert ("/proc/sys/fs" in shown, "/proc/sys/fs" in made["linux"]["maskedPaths"]) == (anywhere, not anywhere)
