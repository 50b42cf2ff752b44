"""The front door: sockets, guards against bad clients, and the table that says who answers a request.

`server` owns sockets and connections, `protocol` guards what arrives on them, `asgi` turns ASGI's events into the
`HttpRequest` and `HttpResponse` of `services.contract`, `routes` decides which handler a request is for.
"""
