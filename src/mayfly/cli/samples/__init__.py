"""Sample events: what each trigger of a function sends, for `mayfly invoke --event` and `mayfly events sample`."""
