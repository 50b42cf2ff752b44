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


# Asks for a preopened directory at each of 3 to 258, and writes how many there are.
PROBES_DESCRIPTORS = command(
    "(i32.store8 (i32.const 200) (i32.const 48))"
    "(loop $more (if (i32.eqz (call $prestat (i32.add (local.get $n) (i32.const 3)) (i32.const 0)))"
    "(then (i32.store8 (i32.const 200) (i32.add (i32.load8_u (i32.const 200)) (i32.const 1)))))"
    "(local.set $n (i32.add (local.get $n) (i32.const 1))) (br_if $more (i32.lt_u (local.get $n) (i32.const 256))))"
    "(call $put (i32.const 1) (i32.const 200) (i32.const 1))"
)
# Opens "/etc/passwd" below each of the descriptors 0 to 9, and writes whether any of them let it.
OPENS_FILES = """(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\\10\\00\\00\\00\\01\\00\\00\\00") (data (i32.const 16) "0") (data (i32.const 32) "/etc/passwd")
  (func (export "_start") (local $n i32)
    (loop $more
      (if (i32.eqz (call $open (local.get $n) (i32.const 1) (i32.const 32) (i32.const 11) (i32.const 0)
            (i64.const 2) (i64.const 2) (i32.const 0) (i32.const 64)))
        (then (i32.store8 (i32.const 16) (i32.const 49))))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $n) (i32.const 10))))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))
"""
# Grows a table by steps until that fails, and traps if it never does.
GROWS_TABLE = """(module
  (table $t 1 funcref) (memory (export "memory") 1)
  (func (export "_start") (local $n i32)
    (loop $more
      (if (i32.eq (table.grow $t (ref.null func) (i32.const 100000)) (i32.const -1)) (then return))
      (local.set $n (i32.add (local.get $n) (i32.const 1)))
      (br_if $more (i32.lt_u (local.get $n) (i32.const 100))))
    unreachable))
"""
OUT_OF_BOUNDS = command("(drop (i64.load (i32.const -9)))")
# What it does, it does when it is made, before its start is called.
TRAPS_WHEN_MADE = '(module (func $f unreachable) (start $f) (func (export "_start")))'
MANY_MEMORIES = "(module " + "(memory 1)" * 17 + ' (func (export "_start")))'

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
