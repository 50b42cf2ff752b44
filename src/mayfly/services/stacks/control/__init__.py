"""The Cloud Control API: resources asked for by type and identifier, whoever made them."""
