"""Templates as values: read, checked, bound and evaluated, without touching anything."""
