"""Types of AWS::SQS."""
