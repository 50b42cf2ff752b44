"""Cases of CloudWatch and Logs."""

from tests.services.stacks.resources.case import Case, World

TAG = [{"Key": "k", "Value": "v"}]
ALARM = {
    "Namespace": "AWS/Lambda",
    "MetricName": "Errors",
    "Statistic": "Sum",
    "ComparisonOperator": "GreaterThanThreshold",
    "Dimensions": [{"Name": "FunctionName", "Value": "f"}],
}
RATE = [
    {
        "Id": "e",
        "MetricStat": {
            "Metric": {"Namespace": "App", "MetricName": "Errors"},
            "Period": "60",
            "Stat": "Sum",
        },
        "ReturnData": "false",
    },
    {"Id": "r", "Expression": "e / 60", "Label": "rate"},
]
WRITING = {"Version": "2012-10-17", "Statement": []}
MEASURE = {"MetricName": "m", "MetricNamespace": "App", "MetricValue": "$.ms"}


def cases(world: World) -> list[Case]:
    return [
        Case(
            "AWS::CloudWatch::Alarm",
            {**ALARM, "EvaluationPeriods": "1", "Threshold": "0", "Period": "60", "Tags": TAG},
            {"EvaluationPeriods": 2, "TreatMissingData": "notBreaching", "Tags": []},
        ),
        Case(
            "AWS::CloudWatch::Alarm",
            {"Metrics": RATE, "ComparisonOperator": "GreaterThanThreshold", "EvaluationPeriods": 1, "Threshold": 0.5},
            {"AlarmActions": [world.topic], "AlarmDescription": "d"},
        ),
        Case("AWS::CloudWatch::CompositeAlarm", {"AlarmRule": "FALSE", "Tags": TAG},
             {"AlarmRule": "TRUE", "ActionsEnabled": "false", "Tags": []}),
        Case("AWS::Logs::LogGroup", {"RetentionInDays": "7", "Tags": TAG, "FieldIndexPolicies": [{"Fields": ["a"]}]},
             {"RetentionInDays": 14, "Tags": []}),
        Case("AWS::Logs::LogStream", {"LogGroupName": world.log_group}, {}),
        Case(
            "AWS::Logs::SubscriptionFilter",
            {"LogGroupName": world.log_group, "FilterPattern": "ERROR", "DestinationArn": world.queue},
            {"FilterPattern": "{ $.level = ERROR }", "Distribution": "Random"},
        ),
        Case(
            "AWS::Logs::MetricFilter",
            {"LogGroupName": world.log_group, "FilterPattern": "{ $.ms > 1 }", "MetricTransformations": [MEASURE]},
            {"MetricTransformations": [{**MEASURE, "Unit": "Milliseconds",
                                        "Dimensions": [{"Key": "Path", "Value": "$.path"}]}]},
        ),
        Case("AWS::Logs::ResourcePolicy", {"PolicyName": "contract", "PolicyDocument": WRITING},
             {"PolicyDocument": {**WRITING, "Id": "other"}}),
    ]  # fmt: skip
