"""Secrets: values in versions with stages, their rotation and their deletion after a while."""
