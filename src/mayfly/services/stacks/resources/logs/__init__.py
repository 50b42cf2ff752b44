"""Types of AWS::Logs."""
