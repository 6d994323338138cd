"""The page's tasks on Fargate: their number, their environment and their permissions."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import pulumi
import pulumi_aws as aws

from infra import iam
from infra.page.balancer import HEALTH_PATH, PAGE_PORT, Balancer

CONTAINER: Final = "page"
HTTPS: Final = 443
HEALTH_CHECK: Final = (
    f"import urllib.request; urllib.request.urlopen('http://127.0.0.1:{PAGE_PORT}{HEALTH_PATH}', timeout=4)"
)


@dataclass(frozen=True, kw_only=True)
class PageServiceArgs:
    """What the tasks need from the rest of the stack."""

    account: str
    region: str
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    image_uri: str
    repository_arn: pulumi.Input[str]
    vpc_id: pulumi.Input[str]
    subnets: Sequence[pulumi.Input[str]]
    public_addresses: bool  # for outgoing calls of tasks in public subnets
    balancer: Balancer
    api_url: pulumi.Input[str]
    callable_routes: Sequence[pulumi.Input[str]]
    host: pulumi.Input[str]
    classify_timeout_s: int
    max_upload_mb: int
    cpu: int
    memory_mb: int
    tasks_min: int
    tasks_max: int
    spot: bool
    insights: bool
    log_retention_days: int


class PageService(pulumi.ComponentResource):
    """An ECS service behind the load balancer; the only permission of its tasks is to call the API."""

    cluster: aws.ecs.Cluster
    service: aws.ecs.Service

    def __init__(self, name: str, args: PageServiceArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:page:PageService", name, None, opts)
        self._name, self._args, self._child_options = name, args, pulumi.ResourceOptions(parent=self)
        self.cluster = aws.ecs.Cluster(
            name,
            settings=[{"name": "containerInsights", "value": "enabled" if args.insights else "disabled"}],
            opts=self._child_options,
        )
        providers = aws.ecs.ClusterCapacityProviders(
            name,
            cluster_name=self.cluster.name,
            capacity_providers=["FARGATE", "FARGATE_SPOT"],
            opts=self._child_options,
        )
        group = self._security_group()
        self.service = aws.ecs.Service(
            name,
            cluster=self.cluster.arn,
            task_definition=self._task_definition().arn,
            desired_count=args.tasks_min,
            capacity_provider_strategies=[{"capacity_provider": _provider(args.spot), "weight": 1}],
            network_configuration={
                "subnets": args.subnets,
                "security_groups": [group.id],
                "assign_public_ip": args.public_addresses,
            },
            load_balancers=[
                {
                    "target_group_arn": args.balancer.target_group.arn,
                    "container_name": CONTAINER,
                    "container_port": PAGE_PORT,
                }
            ],
            deployment_circuit_breaker={"enable": True, "rollback": True},
            deployment_minimum_healthy_percent=100,
            deployment_maximum_percent=200,
            health_check_grace_period_seconds=30,
            enable_execute_command=False,
            propagate_tags="SERVICE",
            opts=pulumi.ResourceOptions(
                parent=self,
                depends_on=[args.balancer.listener, providers],
                ignore_changes=["desiredCount"],  # autoscaling sets it
            ),
        )
        self._scale()
        self.register_outputs({"cluster": self.cluster.name, "service": self.service.name})

    def _security_group(self) -> aws.ec2.SecurityGroup:
        """Let the load balancer reach the tasks, and the tasks reach HTTPS: the API, the registry, logs, the secret."""
        name, args = self._name, self._args
        group = aws.ec2.SecurityGroup(
            name, vpc_id=args.vpc_id, description="The page's tasks", tags={"Name": name}, opts=self._child_options
        )
        balancer = args.balancer.security_group.id
        port: Any = {"ip_protocol": "tcp", "from_port": PAGE_PORT, "to_port": PAGE_PORT, "opts": self._child_options}
        aws.vpc.SecurityGroupIngressRule(
            name,
            security_group_id=group.id,
            description="The load balancer",
            referenced_security_group_id=balancer,
            **port,
        )
        aws.vpc.SecurityGroupEgressRule(
            f"{name}-balancer",
            security_group_id=balancer,
            description="The tasks",
            referenced_security_group_id=group.id,
            **port,
        )
        aws.vpc.SecurityGroupEgressRule(
            name,
            security_group_id=group.id,
            description="AWS's APIs",
            cidr_ipv4="0.0.0.0/0",
            ip_protocol="tcp",
            from_port=HTTPS,
            to_port=HTTPS,
            opts=self._child_options,
        )
        return group

    def _task_definition(self) -> aws.ecs.TaskDefinition:
        name, args = self._name, self._args
        logs = aws.cloudwatch.LogGroup(
            name, retention_in_days=args.log_retention_days, kms_key_id=args.key_arn, opts=self._child_options
        )
        secret = self._secret()
        may_call = iam.allow("InvokeApi", ["execute-api:Invoke"], args.callable_routes)
        task_role_arn = self._role(name, "Permissions of the page: call the classifier", [may_call])
        starts = start_statements(args, logs.arn, secret.arn)
        execution_role_arn = self._role(f"{name}-start", "Permissions of ECS to start the page", starts)
        containers = pulumi.Output.json_dumps(
            [container(args, log_group=logs.name, secret_arn=secret.arn, region=args.region)]
        )
        return aws.ecs.TaskDefinition(
            name,
            family=name,
            requires_compatibilities=["FARGATE"],
            network_mode="awsvpc",
            cpu=str(args.cpu),
            memory=str(args.memory_mb),
            runtime_platform={"cpu_architecture": "X86_64", "operating_system_family": "LINUX"},
            task_role_arn=task_role_arn,
            execution_role_arn=execution_role_arn,
            container_definitions=containers,
            opts=self._child_options,
        )

    def _role(self, name: str, description: str, statements: Sequence[iam.Statement]) -> pulumi.Output[str]:
        return iam.role(
            name,
            description=description,
            trusted=iam.trust("ecs-tasks.amazonaws.com", self._args.account),
            statements=statements,
            boundary_arn=self._args.boundary_arn,
            opts=self._child_options,
        )

    def _secret(self) -> aws.secretsmanager.Secret:
        """Create the key that signs the page's forms: random, generated once, and encrypted in Pulumi's state."""
        name = f"{self._name}-secret-key"
        secret = aws.secretsmanager.Secret(
            name,
            description="Signs the page's forms",
            kms_key_id=self._args.key_arn,
            recovery_window_in_days=7,
            opts=self._child_options,
        )
        password = aws.secretsmanager.get_random_password_output(
            password_length=48, exclude_punctuation=True, opts=pulumi.InvokeOutputOptions(parent=self)
        )
        aws.secretsmanager.SecretVersion(
            name,
            secret_id=secret.id,
            secret_string=pulumi.Output.secret(password.random_password),
            # else each `pulumi up` would generate a new key
            opts=pulumi.ResourceOptions(parent=self, ignore_changes=["secretString"]),
        )
        return secret

    def _scale(self) -> None:
        args = self._args
        target = aws.appautoscaling.Target(
            self._name,
            service_namespace="ecs",
            scalable_dimension="ecs:service:DesiredCount",
            resource_id=pulumi.Output.concat("service/", self.cluster.name, "/", self.service.name),
            min_capacity=args.tasks_min,
            max_capacity=args.tasks_max,
            opts=self._child_options,
        )
        requests: Any = {
            "predefined_metric_type": "ALBRequestCountPerTarget",
            "resource_label": pulumi.Output.concat(
                args.balancer.balancer.arn_suffix, "/", args.balancer.target_group.arn_suffix
            ),
        }
        cpu: Any = {"predefined_metric_type": "ECSServiceAverageCPUUtilization"}
        targets = (("cpu", cpu, 60), ("requests", requests, 600))  # percent; requests for each task and minute
        for kind, metric, target_value in targets:
            aws.appautoscaling.Policy(
                f"{self._name}-{kind}",
                policy_type="TargetTrackingScaling",
                service_namespace=target.service_namespace,
                scalable_dimension=target.scalable_dimension,
                resource_id=target.resource_id,
                target_tracking_scaling_policy_configuration={
                    "predefined_metric_specification": metric,
                    "target_value": target_value,
                    "scale_out_cooldown": 60,
                    "scale_in_cooldown": 300,
                },
                opts=self._child_options,
            )


def page_environment(args: PageServiceArgs) -> dict[str, pulumi.Input[str]]:
    """Write the page's environment without SECRET_KEY, which comes from Secrets Manager."""
    return {
        "CLASSIFY_URL": args.api_url,
        "CLASSIFY_AUTH": "iam",
        "CLASSIFY_TIMEOUT_S": str(args.classify_timeout_s),
        "TRUSTED_HOSTS": args.host,
        "MAX_UPLOAD_MB": str(args.max_upload_mb),
        "AWS_DEFAULT_REGION": args.region,
    }


def container(
    args: PageServiceArgs, *, log_group: pulumi.Input[str], secret_arn: pulumi.Input[str], region: str
) -> dict[str, Any]:
    """Write the page's container definition for ECS."""
    return {
        "name": CONTAINER,
        "image": args.image_uri,
        "essential": True,
        "readonlyRootFilesystem": True,
        "linuxParameters": {"initProcessEnabled": True, "capabilities": {"drop": ["ALL"]}},
        "portMappings": [{"containerPort": PAGE_PORT, "protocol": "tcp"}],
        "environment": [{"name": key, "value": value} for key, value in page_environment(args).items()],
        "secrets": [{"name": "SECRET_KEY", "valueFrom": secret_arn}],
        "stopTimeout": 45,  # seconds; gunicorn finishes open requests within 30
        "healthCheck": {
            "command": ["CMD", "python", "-c", HEALTH_CHECK],
            "interval": 30,
            "timeout": 5,
            "retries": 3,
            "startPeriod": 20,
        },
        "logConfiguration": {
            "logDriver": "awslogs",
            "options": {"awslogs-group": log_group, "awslogs-region": region, "awslogs-stream-prefix": CONTAINER},
        },
    }


def start_statements(
    args: PageServiceArgs, log_group_arn: pulumi.Input[str], secret_arn: pulumi.Input[str]
) -> list[iam.Statement]:
    """Write what ECS needs to start a task: pull the image, read the secret, write the log."""
    pull = ["ecr:BatchCheckLayerAvailability", "ecr:BatchGetImage", "ecr:GetDownloadUrlForLayer"]
    write = ["logs:CreateLogStream", "logs:PutLogEvents"]
    return [
        iam.allow("RegistryLogin", ["ecr:GetAuthorizationToken"], ["*"]),
        iam.allow("PullImage", pull, [args.repository_arn]),
        iam.allow("ReadSecret", ["secretsmanager:GetSecretValue"], [secret_arn]),
        iam.allow("DecryptSecret", ["kms:Decrypt"], [args.key_arn]),
        iam.allow("WriteLogs", write, [pulumi.Output.concat(log_group_arn, ":*")]),
    ]


def _provider(spot: bool) -> str:
    return "FARGATE_SPOT" if spot else "FARGATE"
