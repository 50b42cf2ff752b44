"""Operations on topics, by resource."""
