"""Operations, by subject."""
