"""Types of AWS::ApiGateway."""
