"""What runs shut in, in a process of its own, because it reads what is hostile. Standard library only."""
