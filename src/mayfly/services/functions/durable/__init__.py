"""Durable functions: executions that outlive calls, and what the SDKs that AWS publishes for them ask of a platform.

An execution is a row of state, a row for each operation and a row for each event of its history; what moves it
(a checkpoint of its function, a moment that has come, a word from outside) is one transaction. While it waits it is no
more than those rows and one tick of `ticker`. When there is something to go on with, an item in the ready queue has its
function invoked, with everything that was checkpointed; `running` does that, one invocation of an execution at a time.

    config.py        DurableConfig of functions
    model.py         executions, operations, events; names.py  ARNs, tokens, callback ids
    checks.py        whether a checkpoint may be; transitions.py  what follows from it. Pure.
    envelope.py      what a function is invoked with, what it may answer. Pure.
    repository.py    rows; shapes.py  replies
    executions.py    every change, within transactions; timers.py  those that time brings
    running.py       invocations; chaining.py  functions that executions invoke; calls.py  who calls a durable function
"""
