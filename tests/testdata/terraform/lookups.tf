data "aws_vpc" "looked_up" {
  filter {
    name   = "tag:Name"
    values = ["micro*-${var.environment}"]
  }
  depends_on = [aws_vpc.main]
}

data "aws_subnets" "private" {
  filter {
    name   = "vpc-id"
    values = [aws_vpc.main.id]
  }
  tags       = { Tier = "private" }
  depends_on = [aws_subnet.private]
}

data "aws_prefix_list" "s3" {
  name = "com.amazonaws.${data.aws_region.this.name}.s3"
}

data "aws_security_group" "task" {
  vpc_id     = aws_vpc.main.id
  name       = aws_security_group.task.name
  depends_on = [aws_security_group.task]
}

data "aws_ssm_parameter" "level" {
  name       = "/microservices/${var.environment}/level"
  depends_on = [aws_ssm_parameter.level]
}
