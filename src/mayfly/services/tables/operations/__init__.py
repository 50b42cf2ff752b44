"""The operations of DynamoDB, grouped by resource: validate, call the domain, shape the reply."""
