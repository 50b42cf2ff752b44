"""Operations on layers, by resource."""
