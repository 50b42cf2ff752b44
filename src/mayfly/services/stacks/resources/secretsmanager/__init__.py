"""Types of AWS::SecretsManager."""
