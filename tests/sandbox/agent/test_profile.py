"""The filter as OCI runtimes are told of it."""

from mayfly.sandbox.agent import calls, profile


def test_the_profile_allows_what_is_listed_and_nothing_else() -> None:
    made = profile.oci_profile()
    assert made["defaultAction"] == "SCMP_ACT_ERRNO"
    allowed = {name for rule in made["syscalls"] if rule["action"] == "SCMP_ACT_ALLOW" for name in rule["names"]}
    assert allowed == {*calls.ALLOWED, "personality", "socket"}
    unconditional = {
        name
        for rule in made["syscalls"]
        if rule["action"] == "SCMP_ACT_ALLOW" and not rule["args"]
        for name in rule["names"]
    }
    assert unconditional.isdisjoint({"clone", "prctl", "personality", "socket", *calls.REFUSED, *calls.FALLBACKS})
