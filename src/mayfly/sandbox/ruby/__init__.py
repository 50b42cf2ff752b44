"""The managed Ruby: a program in Ruby itself, which speaks AWS's Runtime API."""
