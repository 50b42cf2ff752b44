"""Operations on domain names, as both versions of API Gateway have them."""
