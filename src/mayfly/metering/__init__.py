"""What was used, by whom, and what it costs: Mayfly's own, with no AWS service behind it.

One record an invocation goes through a journal (`ledger`), is folded into hourly sums, and is priced when a report is
asked for (`reports`) with a price book read from a file (`prices.toml`, or the operator's own).
"""
