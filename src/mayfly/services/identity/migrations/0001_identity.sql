-- Names are unique without regard to case, and compared exactly when looked up: `folded` holds the comparison form.
CREATE TABLE identity_roles (
    account TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    trust_policy TEXT NOT NULL,
    description TEXT NOT NULL,
    max_session_s INTEGER NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, folded)
);

-- Of roles, users and policies; `owner_id` is their unique id.
CREATE TABLE identity_tags (
    owner_id TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (owner_id, folded)
);

CREATE TABLE identity_role_policies (
    role_id TEXT NOT NULL REFERENCES identity_roles (id),
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (role_id, name)
);

CREATE TABLE identity_policies (
    account TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    arn TEXT NOT NULL UNIQUE,
    description TEXT NOT NULL,
    document TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, folded)
);

-- Attached policies by ARN: those of AWS have no row in identity_policies.
CREATE TABLE identity_role_attachments (
    role_id TEXT NOT NULL REFERENCES identity_roles (id),
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (role_id, policy_arn)
);
CREATE INDEX identity_role_attachments_by_policy ON identity_role_attachments (policy_arn);

CREATE TABLE identity_users (
    account TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, folded)
);

-- Secrets are derived from the server's key, never stored.
CREATE TABLE identity_access_keys (
    id TEXT PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES identity_users (id),
    status TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL
);
CREATE INDEX identity_access_keys_by_user ON identity_access_keys (user_id, id);
