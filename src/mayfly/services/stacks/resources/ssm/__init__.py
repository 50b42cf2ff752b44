"""Types of AWS::SSM."""
