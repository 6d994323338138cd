"""The Pulumi program: reads the configuration of a stack, and joins its components.

Without `classifyImage` it creates storage, registries, roles and the alarm topic. `classifyImage` adds the function
and its API, and `pageImage` adds the page. docs/deploy.md starts from an empty account.
"""

import pulumi
import pulumi_aws as aws

from infra.access.boundary import Boundary, BoundaryArgs
from infra.access.github import Github, GithubArgs
from infra.cloudwatch.alarms import Alarms, AlarmsArgs
from infra.cloudwatch.dashboard import Dashboard, DashboardArgs
from infra.cloudwatch.metrics import MonitoredParts
from infra.cloudwatch.topic import Topic, TopicArgs
from infra.config import API_TIMEOUT_S, ConfigurationError, StackConfig, read_config
from infra.deployment import Deployment, DeploymentArgs, next_steps
from infra.encryption import Encryption, EncryptionArgs
from infra.inference.api import ClassifyApi, ClassifyApiArgs
from infra.inference.batches import Batches, BatchesArgs
from infra.inference.canary import Canary, CanaryArgs
from infra.inference.function import ALIAS, METRICS_NAMESPACE, ClassifyFunction, ClassifyFunctionArgs
from infra.network import Network, NetworkArgs
from infra.page.site import Site, SiteArgs
from infra.registries import Registries, RegistriesArgs
from infra.storage import Storage, StorageArgs
from infra.tags import tag_everything, tags_of
from infra.training.jobs import Training, TrainingArgs
from infra.training.retraining import Retraining, RetrainingArgs


class Program:
    """One stack. Each method creates components, and joins them to those of the methods before it."""

    def __init__(self, config: StackConfig, stack: str, account: str, region: str) -> None:
        self.config, self.stack, self.account, self.region = config, stack, account, region
        self.name = f"lesion-{stack}"
        self.tags = tags_of(config, stack)
        self.network: Network | None = None

    def run(self) -> None:
        """Create and join all components, and export their addresses and the next step."""
        tag_everything(self.tags)
        self.create_foundation()
        self.create_training()
        if self.config.github_repository:
            self.create_github_roles(self.config.github_repository)
        if self.config.classify_image:
            self.create_serving(self.config.classify_image)
        pulumi.export("nextSteps", next_steps(self.config, self.stack))

    def create_foundation(self) -> None:
        """Create what all other components need."""
        config, name, location = self.config, self.name, {"account": self.account, "region": self.region}
        self.boundary = Boundary(f"{name}-boundary", BoundaryArgs(**location))
        self.key = Encryption(name, EncryptionArgs(**location, protect=config.protect_data))
        self.storage = Storage(
            name,
            StorageArgs(
                account=self.account,
                key_arn=self.key.key_arn,
                protect=config.protect_data,
                batch_retention_days=config.batch_retention_days,
                log_retention_days=config.log_retention_days,
            ),
        )
        self.registries = Registries(
            name, RegistriesArgs(**location, key_arn=self.key.key_arn, disposable=not config.protect_data)
        )
        self.topic = Topic(
            f"{name}-alarms",
            TopicArgs(
                account=self.account,
                key_arn=self.key.key_arn,
                email=config.alarm_email,
                budget_usd=config.monthly_budget_usd,
                budget_of_stack=self.stack if config.budget_scope == "stack" else None,
            ),
        )
        if config.page_image or config.training_in_vpc:
            self.network = Network(
                name,
                NetworkArgs(
                    **location,
                    boundary_arn=self.boundary.arn,
                    key_arn=self.key.key_arn,
                    cidr=config.vpc_cidr,
                    nat_gateways=config.nat_gateways,
                    log_retention_days=config.log_retention_days,
                ),
            )
        pulumi.export("dataBucket", self.storage.data.bucket)
        pulumi.export("modelsBucket", self.storage.models.bucket)
        pulumi.export("classifyRepository", self.registries.classify.repository_url)
        pulumi.export("pageRepository", self.registries.page.repository_url)

    def create_training(self) -> None:
        """Create what training jobs need."""
        network = self.network if self.config.training_in_vpc else None
        self.training = Training(
            self.name,
            TrainingArgs(
                account=self.account,
                region=self.region,
                boundary_arn=self.boundary.arn,
                key_arn=self.key.key_arn,
                data_bucket_arn=self.storage.data.arn,
                models_bucket_arn=self.storage.models.arn,
                topic_arn=self.topic.arn,
                vpc_id=network.vpc_id if network else None,
                subnets=network.private_subnets if network else [],
                owns_log_group=self.config.owns_account,
                log_retention_days=self.config.log_retention_days,
            ),
        )

    def create_github_roles(self, repository: str) -> None:
        """Create the roles of the workflows of a GitHub repository."""
        github = Github(
            f"{self.name}-ci",
            GithubArgs(
                stack=self.stack,
                account=self.account,
                region=self.region,
                repository=repository,
                owns_provider=self.config.owns_account,
                boundary_arn=self.boundary.arn,
                key_arn=self.key.key_arn,
                training_role_arn=self.training.role_arn,
                models_bucket_arn=self.storage.models.arn,
                data_bucket_arn=self.storage.data.arn,
                state_bucket=self.config.state_bucket,
            ),
        )
        for kind, role in github.roles.items():
            pulumi.export(f"{kind}RoleArn", role.arn)

    def create_serving(self, image: str) -> None:
        """Create the function, its API, batches, monitoring, and the page if its image is configured."""
        function = self.create_function(image)
        api = self.create_api(function)
        batches = self.create_batches(function)
        site = self.create_page(self.config.page_image, api) if self.config.page_image else None
        alarms = self.create_monitoring(function, api, site)
        self.create_retraining(alarms.all["drift"].arn)
        canary = Canary(
            f"{self.name}-classify",
            CanaryArgs(
                account=self.account,
                boundary_arn=self.boundary.arn,
                function_arn=function.function.arn,
                alarms=alarms.canary,
            ),
        )
        page_url = site.url if site else None
        Deployment(
            self.name,
            self.stack,
            DeploymentArgs(
                region=self.region,
                models_bucket=self.storage.models.bucket,
                data_bucket=self.storage.data.bucket,
                api_url=api.url,
                page_url=page_url,
                function_name=function.function.name,
                alias=ALIAS,
                model_package_group=self.training.group.model_package_group_name,
                training_role_arn=self.training.role_arn,
                training_kms_key_arn=self.key.key_arn,
                training_subnets=self.training.subnets,
                training_security_groups=self.training.security_groups,
                codedeploy_application=canary.application.name,
                codedeploy_group=canary.group.deployment_group_name,
                batches_state_machine_arn=batches.arn,
                tags=self.tags,
            ),
        )
        pulumi.export("apiUrl", api.url)
        if site:
            pulumi.export("pageUrl", page_url)
            pulumi.export("pageDomainTarget", site.cname_target)

    def create_function(self, image: str) -> ClassifyFunction:
        """Create the function."""
        config = self.config
        return ClassifyFunction(
            f"{self.name}-classify",
            ClassifyFunctionArgs(
                stack=self.stack,
                boundary_arn=self.boundary.arn,
                key_arn=self.key.key_arn,
                image_uri=image,
                models_bucket_arn=self.storage.models.arn,
                data_bucket_arn=self.storage.data.arn,
                memory_mb=config.function_memory_mb,
                timeout_s=config.function_timeout_s,
                reserved_concurrency=config.function_reserved_concurrency,
                provisioned_concurrency=config.provisioned_concurrency,
                log_level=config.log_level,
                log_retention_days=config.log_retention_days,
            ),
        )

    def create_api(self, function: ClassifyFunction) -> ClassifyApi:
        """Create the API in front of the function."""
        config = self.config
        return ClassifyApi(
            f"{self.name}-classify",
            ClassifyApiArgs(
                function_name=function.function.name,
                alias_name=function.alias.name,
                alias_invoke_arn=function.alias.invoke_arn,
                key_arn=self.key.key_arn,
                timeout_s=API_TIMEOUT_S,
                rate_per_s=config.api_rate_per_s,
                burst=config.api_burst,
                log_retention_days=config.log_retention_days,
            ),
        )

    def create_batches(self, function: ClassifyFunction) -> Batches:
        """Create the state machine of batch runs."""
        config = self.config
        return Batches(
            f"{self.name}-batches",
            BatchesArgs(
                account=self.account,
                region=self.region,
                boundary_arn=self.boundary.arn,
                key_arn=self.key.key_arn,
                alias_arn=function.alias.arn,
                data_bucket_arn=self.storage.data.arn,
                size=config.batch_size,
                concurrency=config.batch_concurrency,
                log_retention_days=config.log_retention_days,
            ),
        )

    def create_retraining(self, drift_alarm_arn: pulumi.Output[str]) -> None:
        """Create the state machine that repeats a training job."""
        Retraining(
            f"{self.name}-again",
            RetrainingArgs(
                account=self.account,
                region=self.region,
                boundary_arn=self.boundary.arn,
                group=self.name,
                group_arn=self.training.group.arn,
                training_role_arn=self.training.role_arn,
                data_bucket=self.storage.data.bucket,
                tags=self.tags,
                schedule=self.config.retrain_schedule,
                drift_alarm_arn=drift_alarm_arn if self.config.retrain_on_drift else None,
            ),
        )

    def create_page(self, image: str, api: ClassifyApi) -> Site:
        """Create the page."""
        assert self.network is not None  # noqa: S101 - create_foundation makes one if the page has an image
        args = SiteArgs(
            account=self.account,
            region=self.region,
            config=self.config,
            image_uri=image,
            boundary_arn=self.boundary.arn,
            key_arn=self.key.key_arn,
            network=self.network,
            storage=self.storage,
            registries=self.registries,
            api=api,
        )
        return Site(f"{self.name}-page", args)

    def create_monitoring(self, function: ClassifyFunction, api: ClassifyApi, site: Site | None) -> Alarms:
        """Create the alarms and the dashboard."""
        parts = MonitoredParts(
            region=self.region,
            namespace=f"{METRICS_NAMESPACE}/{self.stack}",
            api_id=api.api.id,
            function_name=function.function.name,
            alias=ALIAS,
            log_group=function.log_group.name,
            failed_events_queue=function.failed_events.name,
            failed_jobs_rule=self.training.failures.name,
            page=site.monitored if site else None,
        )
        alarms = Alarms(
            self.name,
            AlarmsArgs(
                topic_arn=self.topic.arn,
                parts=parts,
                latency_ms=self.config.latency_alarm_ms,
                init_ms=self.config.init_alarm_ms,
                drift_percent=self.config.drift_alarm_percent,
                no_traffic_hours=self.config.no_traffic_hours,
            ),
        )
        dashboard = Dashboard(
            self.name, DashboardArgs(parts=parts, alarm_arns=[alarm.arn for alarm in alarms.all.values()])
        )
        pulumi.export("dashboardUrl", dashboard.url)
        return alarms


def main() -> None:
    """Read the configuration, and create the stack; invalid configuration ends the run before any resource."""
    stack, region = pulumi.get_stack(), pulumi.Config("aws").get("region")
    if not region:
        raise pulumi.RunError("No region is set: `pulumi config set aws:region us-east-1`, or another.")
    known = pulumi.runtime.config
    try:
        config = read_config(stack, region, {**known.get_config_env(), **known.CONFIG.get()}, pulumi.get_project())
    except ConfigurationError as error:
        raise pulumi.RunError(str(error)) from error
    Program(config, stack, aws.get_caller_identity().account_id, region).run()


if __name__ == "__main__":
    main()
