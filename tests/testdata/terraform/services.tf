resource "aws_ecs_cluster" "main" {
  name = "microservices-cluster-${var.environment}"
  setting {
    name  = "containerInsights"
    value = "enabled"
  }
}

resource "aws_ecs_cluster_capacity_providers" "main" {
  cluster_name       = aws_ecs_cluster.main.name
  capacity_providers = ["FARGATE", "FARGATE_SPOT"]
  default_capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    base              = 2
    weight            = 1
  }
}

resource "aws_cloudwatch_log_group" "service" {
  for_each          = local.services
  name              = "/ecs/${each.key}-service-${var.environment}"
  retention_in_days = 7
}

resource "aws_service_discovery_private_dns_namespace" "main" {
  name = "${var.environment}.local"
  vpc  = aws_vpc.main.id
}

resource "aws_service_discovery_service" "service" {
  for_each      = local.services
  name          = each.key
  force_destroy = true
  dns_config {
    namespace_id   = aws_service_discovery_private_dns_namespace.main.id
    routing_policy = "MULTIVALUE"
    dns_records {
      type = "A"
      ttl  = 60
    }
  }
}

resource "aws_ecs_task_definition" "service" {
  for_each                 = local.services
  family                   = "${each.key}-service-${var.environment}"
  requires_compatibilities = ["FARGATE"]
  network_mode             = "awsvpc"
  cpu                      = 256
  memory                   = 512
  execution_role_arn       = aws_iam_role.execution.arn
  task_role_arn            = aws_iam_role.task[each.key].arn
  container_definitions = jsonencode([{
    name         = "${each.key}-container"
    image        = "${aws_ecr_repository.service[each.key].repository_url}:latest"
    essential    = true
    portMappings = [{ containerPort = each.value.port }]
    environment = [
      { name = "SERVICE_NAME", value = each.key },
      { name = "ENVIRONMENT", value = var.environment },
      { name = "PORT", value = tostring(each.value.port) },
      { name = "RELEASE", value = var.release },
      { name = "PAYMENT_URL", value = "http://payment.${var.environment}.local:8080" },
      { name = "ORDER_URL", value = "http://order.${var.environment}.local:8081" },
      { name = "NOTIFICATION_URL", value = "http://notification.${var.environment}.local:8082" },
    ]
    healthCheck = { command = ["CMD", "/app", "healthcheck"], interval = 5, startPeriod = 10 }
    logConfiguration = {
      logDriver = "awslogs"
      options = {
        awslogs-group         = aws_cloudwatch_log_group.service[each.key].name
        awslogs-region        = data.aws_region.this.name
        awslogs-stream-prefix = each.key
      }
    }
    readonlyRootFilesystem = true
    linuxParameters        = { initProcessEnabled = true }
    stopTimeout            = 10
  }])
  runtime_platform {
    operating_system_family = "LINUX"
    cpu_architecture        = "X86_64"
  }
}

resource "aws_ecs_service" "service" {
  for_each                           = local.services
  name                               = "${each.key}-service-${var.environment}"
  cluster                            = aws_ecs_cluster.main.id
  task_definition                    = aws_ecs_task_definition.service[each.key].arn
  desired_count                      = var.desired
  deployment_minimum_healthy_percent = 100
  deployment_maximum_percent         = 200
  health_check_grace_period_seconds  = 60
  enable_execute_command             = true
  enable_ecs_managed_tags            = true
  propagate_tags                     = "SERVICE"
  wait_for_steady_state              = true
  tags                               = { Release = var.release }

  capacity_provider_strategy {
    capacity_provider = "FARGATE_SPOT"
    base              = 2
    weight            = 1
  }
  deployment_circuit_breaker {
    enable   = true
    rollback = true
  }
  network_configuration {
    subnets         = data.aws_subnets.private.ids
    security_groups = [aws_security_group.task.id]
  }
  load_balancer {
    target_group_arn = aws_lb_target_group.service[each.key].arn
    container_name   = "${each.key}-container"
    container_port   = each.value.port
  }
  service_registries {
    registry_arn = aws_service_discovery_service.service[each.key].arn
  }
  depends_on = [
    aws_ecs_cluster_capacity_providers.main,
    aws_lb_listener_rule.service,
    aws_iam_role_policy_attachment.execution,
    aws_vpc_security_group_egress_rule.alb,
    aws_vpc_security_group_ingress_rule.balanced,
    aws_security_group_rule.peers,
    aws_security_group_rule.out,
    aws_route.out,
    aws_route_table_association.private,
  ]
}

resource "aws_appautoscaling_target" "service" {
  for_each           = aws_ecs_service.service
  service_namespace  = "ecs"
  scalable_dimension = "ecs:service:DesiredCount"
  resource_id        = "service/${aws_ecs_cluster.main.name}/${each.value.name}"
  min_capacity       = 1
  max_capacity       = 4
}

resource "aws_appautoscaling_policy" "cpu" {
  for_each           = aws_appautoscaling_target.service
  name               = "cpu"
  policy_type        = "TargetTrackingScaling"
  service_namespace  = each.value.service_namespace
  scalable_dimension = each.value.scalable_dimension
  resource_id        = each.value.resource_id
  target_tracking_scaling_policy_configuration {
    target_value       = 70
    scale_in_cooldown  = 60
    scale_out_cooldown = 60
    predefined_metric_specification {
      predefined_metric_type = "ECSServiceAverageCPUUtilization"
    }
  }
}

resource "aws_appautoscaling_policy" "step" {
  name               = "step"
  policy_type        = "StepScaling"
  service_namespace  = aws_appautoscaling_target.service["order"].service_namespace
  scalable_dimension = aws_appautoscaling_target.service["order"].scalable_dimension
  resource_id        = aws_appautoscaling_target.service["order"].resource_id
  step_scaling_policy_configuration {
    adjustment_type         = "ChangeInCapacity"
    cooldown                = 60
    metric_aggregation_type = "Average"
    step_adjustment {
      metric_interval_lower_bound = 0
      scaling_adjustment          = 1
    }
  }
}
