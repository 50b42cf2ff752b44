-- The same sums by tenant, of functions that keep their tenants apart: a part of usage_hours, never more than it.
CREATE TABLE usage_tenant_hours (
    account TEXT NOT NULL,
    function_arn TEXT NOT NULL,
    tenant TEXT NOT NULL,
    hour_ms BIGINT NOT NULL,
    memory_mb INTEGER NOT NULL,
    ephemeral_mb INTEGER NOT NULL,
    architecture TEXT NOT NULL,
    requests BIGINT NOT NULL,
    errors BIGINT NOT NULL,
    cold_starts BIGINT NOT NULL,
    duration_us BIGINT NOT NULL,
    billed_ms BIGINT NOT NULL,
    init_us BIGINT NOT NULL,
    peak_memory_mb INTEGER NOT NULL,
    PRIMARY KEY (account, function_arn, tenant, hour_ms, memory_mb, ephemeral_mb, architecture)
);

CREATE INDEX usage_tenant_hours_by_time ON usage_tenant_hours (hour_ms);
