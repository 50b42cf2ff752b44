"""Which events a pattern means: EventBridge's patterns, SNS's filter policies, and an index over thousands of them.

Pure: documents and events in, answers out; no I/O, no time. Used by services (`events`, `topics`, `pipes`, event source
mappings), each of which turns `PatternError` into the error of its own wire.
"""
