"""Operations of `apigatewayv2`, grouped by resource."""
