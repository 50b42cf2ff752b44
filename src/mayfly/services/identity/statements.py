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
_POLICY = "account, name, path, id, description, document, created_at"
_ATTACHMENTS = "(SELECT count(*) FROM identity_role_attachments WHERE policy_arn = identity_policies.arn)"
POLICY_INSERT = f"""
INSERT INTO identity_policies (folded, arn, {_POLICY})
VALUES (:folded, :arn, :account, :name, :path, :id, :description, :document, :created_at)
ON CONFLICT (account, folded) DO NOTHING"""
POLICY_BY_ARN = f"SELECT {_POLICY}, {_ATTACHMENTS} FROM identity_policies WHERE arn = :arn"
POLICIES_PAGE = f"""
SELECT {_POLICY}, {_ATTACHMENTS} FROM identity_policies
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
    AND (:attached = 0 OR {_ATTACHMENTS} > 0)
ORDER BY folded LIMIT :limit"""
POLICY_DELETE = "DELETE FROM identity_policies WHERE id = :id"

# Attachments of managed policies to roles.
ATTACHMENT_INSERT = """
INSERT INTO identity_role_attachments (role_id, policy_arn) VALUES (:role_id, :policy_arn)
ON CONFLICT (role_id, policy_arn) DO NOTHING"""
ATTACHMENTS_PAGE = """
SELECT policy_arn FROM identity_role_attachments
WHERE role_id = :role_id AND policy_arn > :after ORDER BY policy_arn LIMIT :limit"""
ATTACHMENT_DELETE = "DELETE FROM identity_role_attachments WHERE role_id = :role_id AND policy_arn = :policy_arn"

# Users.
_USER = "account, name, path, id, created_at"
USER_INSERT = f"""
INSERT INTO identity_users (folded, {_USER}) VALUES (:folded, :account, :name, :path, :id, :created_at)
ON CONFLICT (account, folded) DO NOTHING"""
USER_BY_NAME = f"SELECT {_USER} FROM identity_users WHERE account = :account AND folded = :folded AND name = :name"
USER_BY_ID = f"SELECT {_USER} FROM identity_users WHERE id = :id"
USERS_PAGE = f"""
SELECT {_USER} FROM identity_users
WHERE account = :account AND folded > :after AND substr(path, 1, :prefix_length) = :prefix
ORDER BY folded LIMIT :limit"""
USER_DELETE = "DELETE FROM identity_users WHERE id = :id"

# Access keys of users.
KEY_INSERT = """
INSERT INTO identity_access_keys (id, user_id, status, created_at) VALUES (:id, :user_id, :status, :created_at)"""
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
