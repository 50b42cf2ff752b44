"""Types of AWS::CloudFormation."""
