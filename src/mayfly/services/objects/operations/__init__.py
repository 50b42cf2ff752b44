"""The operations of S3 by resource: check the request, run one body in the store, shape the reply."""
