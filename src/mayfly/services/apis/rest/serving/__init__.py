"""Requests to stages of REST APIs."""
