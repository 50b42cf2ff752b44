"""What is deployed outside of stacks, read over the wire and written as a template."""
