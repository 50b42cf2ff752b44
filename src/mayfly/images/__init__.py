"""Container images: where they come from, what is kept of them, and the root file systems that instances run in."""
