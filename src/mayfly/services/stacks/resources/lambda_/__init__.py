"""Types of AWS::Lambda."""
