"""Identity: who may speak to Mayfly, in whose name, and for how long. On the wire: iam and sts.

Owns the account's root key, users and their access keys, roles and the policies on them, and temporary credentials.
`service.IdentityService` is what `app.py` builds.

**Policies are validated and stored; they are not evaluated yet.** What holds meanwhile:

- the root key and the sessions of roles may do everything;
- a user's access key fails closed: it may say who it is and assume a role whose trust policy names it, and every other
  operation answers AccessDenied (`access.guarded`, which the composition root puts around every service);
- the trust policy of a role *is* evaluated, whenever somebody assumes it;
- session policies and session tags, which would narrow a session, are refused rather than ignored.
"""
