"""Types of AWS::DynamoDB."""
