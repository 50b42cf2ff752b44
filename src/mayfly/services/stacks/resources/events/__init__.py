"""Types of AWS::Events."""
