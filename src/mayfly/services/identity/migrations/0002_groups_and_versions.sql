-- Groups of users.
CREATE TABLE identity_groups (
    account TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (account, folded)
);

CREATE TABLE identity_memberships (
    group_id TEXT NOT NULL REFERENCES identity_groups (id),
    user_id TEXT NOT NULL REFERENCES identity_users (id),
    PRIMARY KEY (group_id, user_id)
);
CREATE INDEX identity_memberships_by_user ON identity_memberships (user_id);

-- Inline policies and attachments of users and groups, by their unique ids; those of roles have tables of their own.
CREATE TABLE identity_owned_policies (
    owner_id TEXT NOT NULL,
    name TEXT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (owner_id, name)
);

CREATE TABLE identity_attachments (
    owner_id TEXT NOT NULL,
    policy_arn TEXT NOT NULL,
    PRIMARY KEY (owner_id, policy_arn)
);
CREATE INDEX identity_attachments_by_policy ON identity_attachments (policy_arn);

-- `identity_policies.document` is that of the default version.
ALTER TABLE identity_policies ADD COLUMN default_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE identity_policies ADD COLUMN last_version INTEGER NOT NULL DEFAULT 1;
ALTER TABLE identity_policies ADD COLUMN updated_at DOUBLE PRECISION NOT NULL DEFAULT 0;
UPDATE identity_policies SET updated_at = created_at;
CREATE TABLE identity_policy_versions (
    policy_id TEXT NOT NULL REFERENCES identity_policies (id),
    version INTEGER NOT NULL,
    document TEXT NOT NULL,
    created_at DOUBLE PRECISION NOT NULL,
    PRIMARY KEY (policy_id, version)
);
INSERT INTO identity_policy_versions (policy_id, version, document, created_at)
SELECT id, 1, document, created_at FROM identity_policies;

-- An instance profile holds one role at most.
CREATE TABLE identity_instance_profiles (
    account TEXT NOT NULL,
    folded TEXT NOT NULL,
    name TEXT NOT NULL,
    path TEXT NOT NULL,
    id TEXT NOT NULL UNIQUE,
    created_at DOUBLE PRECISION NOT NULL,
    role_id TEXT REFERENCES identity_roles (id),
    PRIMARY KEY (account, folded)
);
CREATE INDEX identity_instance_profiles_by_role ON identity_instance_profiles (role_id);

-- What the caller who made a key called it, so that who asks again gets the same one.
ALTER TABLE identity_access_keys ADD COLUMN once TEXT;
