"""Buckets and objects: S3 on the wire.

`service.ObjectsService` is what `app.py` builds. Bytes live in `store.api.Blobs`, everything else in the tables of
`migrations/`. The way of one write:

    operations/objects.py    a request becomes domain values, checked (checks, tagging, conditions)
    content.py               the body becomes a durable blob, hashed and verified on the way
    publishing.py            one transaction: conditions, the object's row, the blob's link, the events
    catalog.py               rows to values and back; statements.py holds the SQL

An event to a function is accepted in the transaction that makes the object visible, so that a crash can neither lose
nor invent one.
"""
