"""The network of the page and, if configured, of training jobs. No connection from outside can be opened into it."""

from dataclasses import dataclass
from ipaddress import IPv4Network
from itertools import islice

import pulumi
import pulumi_aws as aws

from infra import iam

ZONES = 2  # the fewest that a load balancer takes


@dataclass(frozen=True, kw_only=True)
class NetworkArgs:
    """What the network needs from the rest of the stack."""

    account: str
    region: str
    boundary_arn: pulumi.Input[str]
    key_arn: pulumi.Input[str]
    cidr: IPv4Network
    nat_gateways: int  # 0: each task gets a public address for outgoing calls
    log_retention_days: int


class Network(pulumi.ComponentResource):
    """A VPC over two zones, or over three with three NAT gateways, with public and private subnets in each."""

    vpc_id: pulumi.Output[str]
    public_subnets: list[pulumi.Output[str]]
    private_subnets: list[pulumi.Output[str]]
    has_nat: bool

    def __init__(self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        super().__init__("analyzer:foundation:Network", name, None, opts)
        self._name, self._args, self._child_options = name, args, pulumi.ResourceOptions(parent=self)
        vpc = aws.ec2.Vpc(
            name,
            cidr_block=str(args.cidr),
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags={"Name": name},
            opts=self._child_options,
        )
        self.vpc_id = vpc.id
        # Every VPC has a default security group, whose members reach each other: managed here, it has no rules.
        aws.ec2.DefaultSecurityGroup(name, vpc_id=vpc.id, opts=self._child_options)
        gateway = aws.ec2.InternetGateway(name, vpc_id=vpc.id, tags={"Name": name}, opts=self._child_options)
        zones = aws.get_availability_zones(state="available", opts=pulumi.InvokeOptions(parent=self)).names
        count = max(ZONES, args.nat_gateways)
        blocks = list(islice(args.cidr.subnets(new_prefix=args.cidr.prefixlen + 3), 2 * count))
        public_table = self._route_table("public", gateway_id=gateway.id)
        public = [self._subnet("public", n, blocks[n], zones[n], public_table) for n in range(count)]
        nats = [self._nat(n, public[n], gateway) for n in range(args.nat_gateways)]
        tables = [
            self._route_table(f"private-{n}", nat_gateway_id=nats[n % len(nats)].id if nats else None)
            for n in range(count)
        ]
        private = [self._subnet("private", n, blocks[count + n], zones[n], tables[n]) for n in range(count)]
        self.public_subnets, self.private_subnets = [s.id for s in public], [s.id for s in private]
        self.has_nat = bool(nats)
        aws.ec2.VpcEndpoint(  # free; image layers come through it and not through a NAT gateway
            name,
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{args.region}.s3",
            vpc_endpoint_type="Gateway",
            route_table_ids=[public_table.id, *(table.id for table in tables)],
            tags={"Name": name},
            opts=self._child_options,
        )
        self._flow_log()
        self.register_outputs({"vpc_id": self.vpc_id})

    def _subnet(
        self, kind: str, number: int, block: IPv4Network, zone: str, table: aws.ec2.RouteTable
    ) -> aws.ec2.Subnet:
        name = f"{self._name}-{kind}-{number}"
        subnet = aws.ec2.Subnet(
            name,
            vpc_id=self.vpc_id,
            cidr_block=str(block),
            availability_zone=zone,
            map_public_ip_on_launch=False,  # a task requests an address if it needs one
            tags={"Name": name},
            opts=self._child_options,
        )
        aws.ec2.RouteTableAssociation(name, subnet_id=subnet.id, route_table_id=table.id, opts=self._child_options)
        return subnet

    def _route_table(
        self,
        kind: str,
        *,
        gateway_id: pulumi.Input[str] | None = None,
        nat_gateway_id: pulumi.Input[str] | None = None,
    ) -> aws.ec2.RouteTable:
        name = f"{self._name}-{kind}"
        table = aws.ec2.RouteTable(name, vpc_id=self.vpc_id, tags={"Name": name}, opts=self._child_options)
        if gateway_id is not None or nat_gateway_id is not None:
            aws.ec2.Route(
                name,
                route_table_id=table.id,
                destination_cidr_block="0.0.0.0/0",
                gateway_id=gateway_id,
                nat_gateway_id=nat_gateway_id,
                opts=self._child_options,
            )
        return table

    def _nat(self, number: int, subnet: aws.ec2.Subnet, gateway: aws.ec2.InternetGateway) -> aws.ec2.NatGateway:
        name = f"{self._name}-nat-{number}"
        after = pulumi.ResourceOptions(parent=self, depends_on=[gateway])
        address = aws.ec2.Eip(name, domain="vpc", tags={"Name": name}, opts=after)
        return aws.ec2.NatGateway(name, subnet_id=subnet.id, allocation_id=address.id, tags={"Name": name}, opts=after)

    def _flow_log(self) -> None:
        name, args = f"{self._name}-flows", self._args
        logs = aws.cloudwatch.LogGroup(
            name, retention_in_days=args.log_retention_days, kms_key_id=args.key_arn, opts=self._child_options
        )
        writes = ["logs:CreateLogStream", "logs:DescribeLogStreams", "logs:PutLogEvents"]
        role_arn = iam.role(
            name,
            description="Writes the network's flow log",
            trusted=iam.trust("vpc-flow-logs.amazonaws.com", args.account),
            statements=[iam.allow("WriteLogs", writes, [logs.arn, pulumi.Output.concat(logs.arn, ":*")])],
            boundary_arn=args.boundary_arn,
            opts=self._child_options,
        )
        aws.ec2.FlowLog(
            name,
            vpc_id=self.vpc_id,
            traffic_type="REJECT",  # rejected connections are the useful part, at a fraction of the price
            log_destination=logs.arn,
            iam_role_arn=role_arn,
            opts=self._child_options,
        )
