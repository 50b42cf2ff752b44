"""WebAssembly: compiled in a process that is shut in, run in the function's own sandbox, an instance a request.

`artifacts` says where compiled modules are and is all that the server imports. `compiler` is a program of its own.
`runner` takes the place of the managed Python runtime in sandboxes whose runtime is `wasm`. Modules here import
wasmtime, which the server does not load.
"""
