"""Who may call an API: tokens, policies, and what functions decide. Shared by all kinds of APIs."""
