"""What $LATEST runs on while somebody works on it: changed files without a deployment, a debugger that waits."""
