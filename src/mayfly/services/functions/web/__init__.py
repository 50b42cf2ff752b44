"""Function URLs: from an HTTP request to an event, and from a function's reply to an HTTP response."""
