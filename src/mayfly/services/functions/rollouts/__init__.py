"""Safe rollouts: an alias's calls are shifted to a new version by steps, watched, and taken back. CodeDeploy's API."""
