"""Tables of items: DynamoDB's semantics on the platform's store."""
