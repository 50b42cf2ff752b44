"""DynamoDB's expression languages: text in, decisions about items out. Pure; knows neither store nor wire."""
