"""Types of AWS::Pipes."""
