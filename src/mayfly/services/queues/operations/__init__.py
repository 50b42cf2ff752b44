"""The operations of SQS, grouped by resource."""
