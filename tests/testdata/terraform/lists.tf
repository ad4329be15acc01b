# What comes with a VPC, managed as terraform-aws-modules/vpc does.
resource "aws_default_route_table" "main" {
  default_route_table_id = aws_vpc.main.default_route_table_id
  route                  = []
  tags                   = { Name = "microservices-default" }
}

resource "aws_default_network_acl" "main" {
  default_network_acl_id = aws_vpc.main.default_network_acl_id
  ingress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  ingress {
    rule_no         = 101
    protocol        = "-1"
    action          = "allow"
    ipv6_cidr_block = "::/0"
    from_port       = 0
    to_port         = 0
  }
  egress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
  tags = { Name = "microservices-default" }
  lifecycle {
    ignore_changes = [subnet_ids]
  }
}

# The private subnets' list, with rules as resources.
resource "aws_network_acl" "private" {
  vpc_id     = aws_vpc.main.id
  subnet_ids = aws_subnet.private[*].id
  tags       = { Name = "microservices-private" }
}

locals {
  lists = {
    services  = { number = 100, egress = false, protocol = "tcp", cidr = aws_vpc.main.cidr_block, from = 8080, to = 8082, action = "allow" }
    endpoints = { number = 110, egress = false, protocol = "tcp", cidr = aws_vpc.main.cidr_block, from = 443, to = 443, action = "allow" }
    answers   = { number = 120, egress = false, protocol = "tcp", cidr = "0.0.0.0/0", from = 1024, to = 65535, action = "allow" }
    admin     = { number = 90, egress = false, protocol = "tcp", cidr = var.admin_cidr, from = 22, to = 22, action = "deny" }
    out       = { number = 100, egress = true, protocol = "-1", cidr = "0.0.0.0/0", from = 0, to = 0, action = "allow" }
  }
}

resource "aws_network_acl_rule" "private" {
  for_each       = local.lists
  network_acl_id = aws_network_acl.private.id
  rule_number    = each.value.number
  egress         = each.value.egress
  protocol       = each.value.protocol
  rule_action    = each.value.action
  cidr_block     = each.value.cidr
  from_port      = each.value.from
  to_port        = each.value.to
}

resource "aws_network_acl_rule" "ping" {
  network_acl_id = aws_network_acl.private.id
  rule_number    = 130
  protocol       = "icmp"
  rule_action    = "allow"
  cidr_block     = aws_vpc.main.cidr_block
  icmp_type      = 8
  icmp_code      = -1
}

# The first public subnet's, with its rules inline.
resource "aws_network_acl" "public" {
  vpc_id = aws_vpc.main.id
  ingress {
    rule_no    = 100
    protocol   = "tcp"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 65535
  }
  egress {
    rule_no    = 100
    protocol   = "-1"
    action     = "allow"
    cidr_block = "0.0.0.0/0"
    from_port  = 0
    to_port    = 0
  }
}

resource "aws_network_acl_association" "public" {
  network_acl_id = aws_network_acl.public.id
  subnet_id      = aws_subnet.public[0].id
}
