"""The front door: sockets, guards against bad clients, and the table that says who answers a request.

`server` owns sockets, `traffic` what all connections share, `protocol` one connection with its guards; `exchange` and
`body` are a request on its way in, `reply` and `heads` a reply on its way out. `routes` decides which handler a request
is for. To serve something else with the same guards, `traffic` needs an `api.Answer` and settings, nothing more.
"""
