"""REST APIs (API Gateway, version 1): what they are made of, their deployments and stages, and requests to them."""
