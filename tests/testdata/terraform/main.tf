# The reference platform in Terraform: the three example services behind one
# load balancer, with the mesh's API objects. Endpoint, region and keys come
# from the environment (`eval "$(slipway env)"`), nothing here knows of Slipway.

terraform {
  required_providers {
    aws = {
      source  = "hashicorp/aws"
      version = "~> 5.0"
    }
  }
}

provider "aws" {
  default_tags {
    tags = {
      Environment = var.environment
      Service     = "microservices"
      Team        = "platform"
      CostCenter  = "engineering"
    }
  }
}

data "aws_caller_identity" "this" {}
data "aws_region" "this" {}
data "aws_partition" "this" {}
data "aws_availability_zones" "up" {
  state = "available"
}

locals {
  zones = slice(data.aws_availability_zones.up.names, 0, 3)
  services = {
    payment      = { port = 8080, priority = 10, calls = [] }
    order        = { port = 8081, priority = 11, calls = ["payment", "notification"] }
    notification = { port = 8082, priority = 12, calls = [] }
  }
}
