"""Operations of durable executions, by who calls them: functions, callers outside, people."""
