"""Types of AWS::S3."""
