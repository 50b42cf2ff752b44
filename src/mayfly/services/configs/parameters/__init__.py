"""Parameter Store: named values in a tree of paths, with versions and labels."""
