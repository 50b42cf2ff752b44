"""Capacity providers: pools of machines by name, which here are parts of this one."""
