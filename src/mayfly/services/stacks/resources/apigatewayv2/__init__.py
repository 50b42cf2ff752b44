"""Types of AWS::ApiGatewayV2."""
