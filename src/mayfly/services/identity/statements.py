"""Identity's SQL, by table. Lists are in order of the folded name; a page begins above `:after`."""

# Roles.
_ROLE = "account, name, path, id, trust_policy, description, max_session_s, created_at"
ROLE_INSERT = f"""
INSERT INTO identity_roles (folded, {_ROLE})
VALUES (:folded, :account, :name, :path, :id, :trust_policy, :description, :max_session_s, :created_at)
ON CONFLICT (account, folded) DO NOTHING"""
ROLE_BY_NAME = f"SELECT {_ROLE} FROM identity_roles WHERE account = :account AND folded = :folded AND name = :name"
ROLE_BY_ID = f"SELECT {_ROLE} FROM identity_roles WHERE id = :id"
ROLES_PAGE = f"""
SELECT {_ROLE} FROM identity_roles
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
ORDER BY folded LIMIT :limit"""
ROLE_UPDATE = """
UPDATE identity_roles
SET description = :description, max_session_s = :max_session_s, trust_policy = :trust_policy WHERE id = :id"""
ROLE_DELETE = "DELETE FROM identity_roles WHERE id = :id"

# Inline policies of roles.
ROLE_POLICY_PUT = """
INSERT INTO identity_role_policies (role_id, name, document) VALUES (:role_id, :name, :document)
ON CONFLICT (role_id, name) DO UPDATE SET document = excluded.document"""
ROLE_POLICY = "SELECT document FROM identity_role_policies WHERE role_id = :role_id AND name = :name"
ROLE_POLICIES_PAGE = """
SELECT name, document FROM identity_role_policies
WHERE role_id = :role_id AND name > :after ORDER BY name LIMIT :limit"""
ROLE_POLICY_DELETE = "DELETE FROM identity_role_policies WHERE role_id = :role_id AND name = :name"

# Managed policies.
_POLICY = "account, name, path, id, description, document, created_at, default_version, last_version, updated_at"
_ATTACHMENTS = """((SELECT count(*) FROM identity_role_attachments WHERE policy_arn = identity_policies.arn)
    + (SELECT count(*) FROM identity_attachments WHERE policy_arn = identity_policies.arn))"""
POLICY_INSERT = f"""
INSERT INTO identity_policies (folded, arn, {_POLICY})
VALUES (:folded, :arn, :account, :name, :path, :id, :description, :document, :created_at, :default_version,
    :last_version, :updated_at)
ON CONFLICT (account, folded) DO NOTHING"""
POLICY_BY_ARN = f"SELECT {_POLICY}, {_ATTACHMENTS} FROM identity_policies WHERE arn = :arn"
POLICIES_PAGE = f"""
SELECT {_POLICY}, {_ATTACHMENTS} FROM identity_policies
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
    AND (:attached = 0 OR {_ATTACHMENTS} > 0)
ORDER BY folded LIMIT :limit"""
POLICY_DELETE = "DELETE FROM identity_policies WHERE id = :id"
POLICY_UPDATE = """
UPDATE identity_policies SET document = :document, default_version = :default_version, last_version = :last_version,
    updated_at = :updated_at
WHERE id = :id"""

# Versions of managed policies, by number.
VERSION_INSERT = """
INSERT INTO identity_policy_versions (policy_id, version, document, created_at)
VALUES (:policy_id, :version, :document, :created_at)"""
VERSION = """
SELECT version, document, created_at FROM identity_policy_versions
WHERE policy_id = :policy_id AND version = :version"""
VERSIONS = """
SELECT version, document, created_at FROM identity_policy_versions
WHERE policy_id = :policy_id ORDER BY version DESC"""
VERSION_DELETE = "DELETE FROM identity_policy_versions WHERE policy_id = :policy_id AND version = :version"
VERSIONS_DELETE = "DELETE FROM identity_policy_versions WHERE policy_id = :policy_id"

# Attachments of managed policies to roles.
ATTACHMENT_INSERT = """
INSERT INTO identity_role_attachments (role_id, policy_arn) VALUES (:role_id, :policy_arn)
ON CONFLICT (role_id, policy_arn) DO NOTHING"""
ATTACHMENTS_PAGE = """
SELECT policy_arn FROM identity_role_attachments
WHERE role_id = :role_id AND policy_arn > :after ORDER BY policy_arn LIMIT :limit"""
ATTACHMENT_DELETE = "DELETE FROM identity_role_attachments WHERE role_id = :role_id AND policy_arn = :policy_arn"

# Inline policies of users and groups, and attachments to them.
OWNED_POLICY_PUT = """
INSERT INTO identity_owned_policies (owner_id, name, document) VALUES (:owner_id, :name, :document)
ON CONFLICT (owner_id, name) DO UPDATE SET document = excluded.document"""
OWNED_POLICY = "SELECT document FROM identity_owned_policies WHERE owner_id = :owner_id AND name = :name"
OWNED_POLICIES_PAGE = """
SELECT name, document FROM identity_owned_policies
WHERE owner_id = :owner_id AND name > :after ORDER BY name LIMIT :limit"""
OWNED_POLICY_DELETE = "DELETE FROM identity_owned_policies WHERE owner_id = :owner_id AND name = :name"
OWNED_ATTACHMENT_INSERT = """
INSERT INTO identity_attachments (owner_id, policy_arn) VALUES (:owner_id, :policy_arn)
ON CONFLICT (owner_id, policy_arn) DO NOTHING"""
OWNED_ATTACHMENTS_PAGE = """
SELECT policy_arn FROM identity_attachments
WHERE owner_id = :owner_id AND policy_arn > :after ORDER BY policy_arn LIMIT :limit"""
OWNED_ATTACHMENT_DELETE = "DELETE FROM identity_attachments WHERE owner_id = :owner_id AND policy_arn = :policy_arn"

# Whom a policy is attached to, by kind.
ATTACHED_ROLES = """
SELECT folded, name, identity_roles.id FROM identity_roles
JOIN identity_role_attachments ON identity_role_attachments.role_id = identity_roles.id
WHERE policy_arn = :policy_arn AND substr(path, 1, :prefix_length) = :prefix ORDER BY folded"""
ATTACHED_USERS = """
SELECT folded, name, identity_users.id FROM identity_users
JOIN identity_attachments ON identity_attachments.owner_id = identity_users.id
WHERE policy_arn = :policy_arn AND substr(path, 1, :prefix_length) = :prefix ORDER BY folded"""
ATTACHED_GROUPS = """
SELECT folded, name, identity_groups.id FROM identity_groups
JOIN identity_attachments ON identity_attachments.owner_id = identity_groups.id
WHERE policy_arn = :policy_arn AND substr(path, 1, :prefix_length) = :prefix ORDER BY folded"""

# Groups and who is in them.
_GROUP = "account, name, path, id, created_at"
GROUP_INSERT = f"""
INSERT INTO identity_groups (folded, {_GROUP}) VALUES (:folded, :account, :name, :path, :id, :created_at)
ON CONFLICT (account, folded) DO NOTHING"""
GROUP_BY_NAME = f"SELECT {_GROUP} FROM identity_groups WHERE account = :account AND folded = :folded AND name = :name"
GROUP_BY_FOLDED = "SELECT id FROM identity_groups WHERE account = :account AND folded = :folded"
GROUPS_PAGE = f"""
SELECT {_GROUP} FROM identity_groups
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
ORDER BY folded LIMIT :limit"""
GROUP_UPDATE = "UPDATE identity_groups SET folded = :folded, name = :name, path = :path WHERE id = :id"
GROUP_DELETE = "DELETE FROM identity_groups WHERE id = :id"
MEMBER_INSERT = """
INSERT INTO identity_memberships (group_id, user_id) VALUES (:group_id, :user_id)
ON CONFLICT (group_id, user_id) DO NOTHING"""
MEMBER_DELETE = "DELETE FROM identity_memberships WHERE group_id = :group_id AND user_id = :user_id"
MEMBERS_PAGE = """
SELECT account, name, path, id, created_at FROM identity_users
JOIN identity_memberships ON identity_memberships.user_id = identity_users.id
WHERE group_id = :group_id AND folded > :after ORDER BY folded LIMIT :limit"""
GROUPS_OF_USER_PAGE = """
SELECT account, name, path, id, created_at FROM identity_groups
JOIN identity_memberships ON identity_memberships.group_id = identity_groups.id
WHERE user_id = :user_id AND folded > :after ORDER BY folded LIMIT :limit"""

# Instance profiles.
_PROFILE = "account, name, path, id, created_at, role_id"
PROFILE_INSERT = f"""
INSERT INTO identity_instance_profiles (folded, {_PROFILE})
VALUES (:folded, :account, :name, :path, :id, :created_at, :role_id) ON CONFLICT (account, folded) DO NOTHING"""
PROFILE_BY_NAME = f"""
SELECT {_PROFILE} FROM identity_instance_profiles WHERE account = :account AND folded = :folded AND name = :name"""
PROFILES_PAGE = f"""
SELECT {_PROFILE} FROM identity_instance_profiles
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
ORDER BY folded LIMIT :limit"""
PROFILES_OF_ROLE_PAGE = f"""
SELECT {_PROFILE} FROM identity_instance_profiles
WHERE role_id = :role_id AND folded > :after ORDER BY folded LIMIT :limit"""
PROFILE_ROLE = "UPDATE identity_instance_profiles SET role_id = :role_id WHERE id = :id"
PROFILE_DELETE = "DELETE FROM identity_instance_profiles WHERE id = :id"

# How many there are of each kind in an account.
COUNTS = """
SELECT
    (SELECT count(*) FROM identity_users WHERE account = :account),
    (SELECT count(*) FROM identity_groups WHERE account = :account),
    (SELECT count(*) FROM identity_roles WHERE account = :account),
    (SELECT count(*) FROM identity_policies WHERE account = :account),
    (SELECT count(*) FROM identity_instance_profiles WHERE account = :account),
    (SELECT count(*) FROM identity_policy_versions JOIN identity_policies
        ON identity_policies.id = identity_policy_versions.policy_id WHERE account = :account)"""

# Users.
_USER = "account, name, path, id, created_at"
USER_INSERT = f"""
INSERT INTO identity_users (folded, {_USER}) VALUES (:folded, :account, :name, :path, :id, :created_at)
ON CONFLICT (account, folded) DO NOTHING"""
USER_BY_NAME = f"SELECT {_USER} FROM identity_users WHERE account = :account AND folded = :folded AND name = :name"
USER_BY_FOLDED = "SELECT id FROM identity_users WHERE account = :account AND folded = :folded"
USER_BY_ID = f"SELECT {_USER} FROM identity_users WHERE id = :id"
USERS_PAGE = f"""
SELECT {_USER} FROM identity_users
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
ORDER BY folded LIMIT :limit"""
USER_UPDATE = "UPDATE identity_users SET folded = :folded, name = :name, path = :path WHERE id = :id"
USER_DELETE = "DELETE FROM identity_users WHERE id = :id"

# Access keys of users.
KEY_INSERT = """
INSERT INTO identity_access_keys (id, user_id, status, created_at, once)
VALUES (:id, :user_id, :status, :created_at, :once)"""
KEY_ONCE = "SELECT id, status, created_at FROM identity_access_keys WHERE user_id = :user_id AND once = :once"
KEY_BY_ID = "SELECT user_id, status FROM identity_access_keys WHERE id = :id"
KEYS_PAGE = """
SELECT id, status, created_at FROM identity_access_keys
WHERE user_id = :user_id AND id > :after ORDER BY id LIMIT :limit"""
KEY_STATUS = "UPDATE identity_access_keys SET status = :status WHERE id = :id AND user_id = :user_id"
KEY_DELETE = "DELETE FROM identity_access_keys WHERE id = :id AND user_id = :user_id"

# Tags.
TAG_PUT = """
INSERT INTO identity_tags (owner_id, folded, name, value) VALUES (:owner_id, :folded, :name, :value)
ON CONFLICT (owner_id, folded) DO UPDATE SET name = excluded.name, value = excluded.value"""
TAGS_PAGE = """
SELECT name, value, folded FROM identity_tags
WHERE owner_id = :owner_id AND folded > :after ORDER BY folded LIMIT :limit"""
TAG_DELETE = "DELETE FROM identity_tags WHERE owner_id = :owner_id AND folded = :folded"
TAGS_DELETE = "DELETE FROM identity_tags WHERE owner_id = :owner_id"
