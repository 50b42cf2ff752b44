"""Small modules in text, and packages of them as the platform compiles them."""

from pathlib import Path

import wasmtime

from mayfly.sandbox.wasm import artifacts, engine, inspection

PLACE = artifacts.place("app.wasm", "test")

_WASI = """
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_sizes_get" (func $environ_sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (import "wasi_snapshot_preview1" "fd_prestat_get" (func $prestat (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 2)
  ;; Write `length` bytes at `from` to the stream.
  (func $put (param $stream i32) (param $from i32) (param $length i32)
    (i32.store (i32.const 0) (local.get $from))
    (i32.store (i32.const 4) (local.get $length))
    (drop (call $write (local.get $stream) (i32.const 0) (i32.const 1) (i32.const 8))))
  ;; Read all of standard input to 65536; its length.
  (func $get (result i32) (local $length i32)
    (loop $more
      (i32.store (i32.const 0) (i32.add (i32.const 65536) (local.get $length)))
      (i32.store (i32.const 4) (i32.const 4096))
      (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
      (local.set $length (i32.add (local.get $length) (i32.load (i32.const 8))))
      (br_if $more (i32.load (i32.const 8))))
    (local.get $length))
"""


def command(start: str, data: str = "") -> str:
    """A program whose `_start` is `start`, with `data` at address 16."""
    return f'(module {_WASI} (data (i32.const 16) "{data}") (func (export "_start") (local $n i32) {start}))'


ECHO = command("(call $put (i32.const 1) (i32.const 65536) (call $get))")
# Answers how often it was called before in the same memory.
COUNTER = command(
    "(i32.store8 (i32.const 200) (i32.add (i32.load8_u (i32.const 200)) (i32.const 48)))"
    "(call $put (i32.const 1) (i32.const 200) (i32.const 1))"
)
LOGGER = command(
    "(call $put (i32.const 2) (i32.const 16) (i32.const 10)) (call $put (i32.const 1) (i32.const 26) (i32.const 2))",
    "a message\\0a{}",
)
EXITS = command("(call $exit (i32.const 3))")
TRAPS = command("unreachable")
SPINS = command("(loop $on (br $on))")
RECURSES = '(module (func $f (export "_start") (call $f)))'
GROWS = command(
    "(loop $more (br_if $more (i32.ne (memory.grow (i32.const 16)) (i32.const -1))))"
    "(i32.store8 (i32.const 200) (i32.const 49)) (call $put (i32.const 1) (i32.const 200) (i32.const 1))"
)
WRITES_TOO_MUCH = command(
    "(loop $more (call $put (i32.const 1) (i32.const 0) (i32.const 65536))"
    "(local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $more (i32.lt_u (local.get $n) (i32.const 300))))"
)
# Writes all variables to the log, each ended by a NUL.
SHOWS_VARIABLES = command(
    "(drop (call $environ_sizes (i32.const 0) (i32.const 4))) (local.set $n (i32.load (i32.const 4)))"
    "(drop (call $environ (i32.const 1024) (i32.const 65536)))"
    "(call $put (i32.const 2) (i32.const 65536) (local.get $n))"
)
# Answers the error of asking for the first preopened directory: 8 is "bad descriptor".
HAS_DIRECTORY = command(
    "(i32.store8 (i32.const 200) (i32.add (i32.const 48) (call $prestat (i32.const 3) (i32.const 0))))"
    "(call $put (i32.const 1) (i32.const 200) (i32.const 1))"
)
CGI = command(
    "(call $put (i32.const 1) (i32.const 16) (i32.const 72)) (call $put (i32.const 1) (i32.const 65536) (call $get))",
    "Status: 201 Created\\0d\\0aContent-Type: text/plain\\0d\\0aSet-Cookie: a=b\\0d\\0a\\0d\\0abody: ",
)


# A component that does nothing and ends well; with 1 in the place of 0, it ends in an error.
RUN = """(component
  (core module $m (func (export "run") (result i32) i32.const 0))
  (core instance $i (instantiate $m))
  (func $run (result (result)) (canon lift (core func $i "run")))
  (instance $e (export "run" (func $run)))
  (export "wasi:cli/run@0.2.3" (instance $e)))
"""


def wasm(text: str) -> bytes:
    return bytes(wasmtime.wat2wasm(text))


def package(directory: Path, code: bytes | str) -> Path:
    """A package of `code` as `app.wasm`, compiled to `PLACE`."""
    code = wasm(code) if isinstance(code, str) else code
    verdict, machine_code = inspection.verdict(engine.make(), code)
    place = directory / PLACE
    place.parent.mkdir(parents=True)
    (directory / "app.wasm").write_bytes(code)
    place.with_suffix(artifacts.VERDICT).write_bytes(verdict.encoded())
    place.with_suffix(artifacts.CODE).write_bytes(machine_code)
    directory.chmod(0o755)
    return directory
