"""Event source mappings: sources that the platform reads for a function, batch by batch."""
