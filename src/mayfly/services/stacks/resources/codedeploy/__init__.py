"""Types of AWS::CodeDeploy."""
