"""Types of AWS::CloudWatch."""
