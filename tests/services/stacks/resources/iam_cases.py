"""Cases of IAM."""

from tests.services.stacks.resources.case import Case, World

ALLOW = {"Statement": [{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]}
DENY = {"Statement": [{"Effect": "Deny", "Action": "s3:GetObject", "Resource": "*"}]}
TRUST = {
    "Statement": [{"Effect": "Allow", "Principal": {"Service": "lambda.amazonaws.com"}, "Action": "sts:AssumeRole"}]
}
A, B = "arn:aws:iam::aws:policy/A", "arn:aws:iam::aws:policy/B"
TAG = [{"Key": "k", "Value": "v"}]


def one(name: str, document: object) -> list[dict[str, object]]:
    return [{"PolicyName": name, "PolicyDocument": document}]


def cases(world: World) -> list[Case]:
    return [
        Case(
            "AWS::IAM::Role",
            {"AssumeRolePolicyDocument": TRUST, "Policies": one("one", ALLOW), "ManagedPolicyArns": [A], "Tags": TAG},
            {"Policies": one("two", DENY), "ManagedPolicyArns": [B], "Description": "d", "Tags": []},
        ),
        Case(
            "AWS::IAM::User",
            {"Groups": [world.group], "Policies": one("one", ALLOW), "ManagedPolicyArns": [A], "Tags": TAG,
             "LoginProfile": {"Password": "never used"}},
            {"Groups": [], "Policies": one("one", DENY), "ManagedPolicyArns": [A, B], "Path": "/p/", "Tags": []},
        ),
        Case("AWS::IAM::Group", {"Policies": one("one", ALLOW), "ManagedPolicyArns": [A]},
             {"Policies": one("two", ALLOW), "ManagedPolicyArns": [B], "Path": "/p/"}),
        Case("AWS::IAM::UserToGroupAddition", {"GroupName": world.group, "Users": [world.user]}, {}),
        Case("AWS::IAM::AccessKey", {"UserName": world.user}, {"Status": "Inactive"}),
        Case("AWS::IAM::Policy", {"PolicyName": "p", "PolicyDocument": ALLOW, "Roles": [world.role]},
             {"PolicyName": "q", "PolicyDocument": DENY, "Users": [world.user], "Groups": [world.group]}),
        Case("AWS::IAM::ManagedPolicy", {"PolicyDocument": ALLOW, "Roles": [world.role], "Description": "d"},
             {"PolicyDocument": DENY, "Roles": [], "Users": [world.user], "Groups": [world.group]}),
        Case("AWS::IAM::RolePolicy", {"PolicyName": "own", "RoleName": world.role, "PolicyDocument": ALLOW},
             {"PolicyDocument": DENY}),
        Case("AWS::IAM::UserPolicy", {"PolicyName": "own", "UserName": world.user, "PolicyDocument": ALLOW},
             {"PolicyDocument": DENY}),
        Case("AWS::IAM::GroupPolicy", {"PolicyName": "own", "GroupName": world.group, "PolicyDocument": ALLOW},
             {"PolicyDocument": DENY}),
        Case("AWS::IAM::InstanceProfile", {"Roles": [world.role]}, {"Roles": []}),
        Case("AWS::IAM::ServiceLinkedRole", {"AWSServiceName": "ecs.amazonaws.com", "Description": "d"},
             {"Description": "e"}),
    ]  # fmt: skip
