"""Types of AWS::ApplicationAutoScaling."""
