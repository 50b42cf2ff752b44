"""Types of AWS::SNS."""
