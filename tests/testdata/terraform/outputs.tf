output "load_balancer" {
  value = aws_lb.main.dns_name
}

output "cluster" {
  value = aws_ecs_cluster.main.name
}

output "account" {
  value = data.aws_caller_identity.this.account_id
}

# What lookups see of what was made.
output "lookups" {
  value = {
    vpc       = data.aws_vpc.looked_up.id == aws_vpc.main.id
    private   = length(data.aws_subnets.private.ids)
    prefixes  = length(data.aws_prefix_list.s3.cidr_blocks) > 0
    group     = data.aws_security_group.task.id == aws_security_group.task.id
    parameter = data.aws_ssm_parameter.level.insecure_value
    region    = "${data.aws_region.this.name} ${data.aws_region.this.endpoint}"
  }
}
