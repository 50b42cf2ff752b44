"""Operations, by resource."""
