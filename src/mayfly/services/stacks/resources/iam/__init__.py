"""Types of AWS::IAM."""
