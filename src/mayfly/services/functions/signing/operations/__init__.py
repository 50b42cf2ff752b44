"""Operations of code signing, by resource."""
