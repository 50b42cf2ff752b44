"""Operations on connections."""
