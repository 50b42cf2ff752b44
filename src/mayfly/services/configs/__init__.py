"""Configuration of applications: parameters (`parameters`) and secrets (`secrets`), each a service on the wire."""
