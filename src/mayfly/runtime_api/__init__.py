"""The Lambda Runtime API as served inside one sandbox. Knows neither functions nor instances; `engine` hears of it."""
