"""Types of AWS::Scheduler."""
