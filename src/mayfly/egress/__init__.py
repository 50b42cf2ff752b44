"""The way out of a sandbox that has no network: names, a proxy and relays on its own loopback. Knows no functions."""
