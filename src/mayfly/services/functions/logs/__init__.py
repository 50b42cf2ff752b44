"""How functions log: LoggingConfig, the platform's records as JSON, and which records are kept."""
