resource "aws_cloudwatch_metric_alarm" "unhealthy" {
  for_each            = local.services
  alarm_name          = "${each.key}-unhealthy-${var.environment}"
  alarm_description   = "A target of ${each.key} fails its health check"
  namespace           = "AWS/ApplicationELB"
  metric_name         = "UnHealthyHostCount"
  statistic           = "Maximum"
  period              = 60
  evaluation_periods  = 3
  datapoints_to_alarm = 2
  threshold           = 1
  comparison_operator = "GreaterThanOrEqualToThreshold"
  treat_missing_data  = "notBreaching"
  dimensions = {
    LoadBalancer = aws_lb.main.arn_suffix
    TargetGroup  = aws_lb_target_group.service[each.key].arn_suffix
  }
}

resource "aws_cloudwatch_metric_alarm" "busy" {
  alarm_name          = "order-busy-${var.environment}"
  comparison_operator = "GreaterThanThreshold"
  evaluation_periods  = 2
  threshold           = 80
  alarm_actions       = [aws_appautoscaling_policy.step.arn]
  metric_query {
    id          = "average"
    expression  = "FILL(cpu, 0)"
    label       = "CPU"
    return_data = true
  }
  metric_query {
    id = "cpu"
    metric {
      namespace   = "AWS/ECS"
      metric_name = "CPUUtilization"
      period      = 60
      stat        = "Average"
      dimensions = {
        ClusterName = aws_ecs_cluster.main.name
        ServiceName = aws_ecs_service.service["order"].name
      }
    }
  }
}

resource "aws_cloudwatch_composite_alarm" "any" {
  alarm_name = "microservices-${var.environment}"
  alarm_rule = join(" OR ", [for a in aws_cloudwatch_metric_alarm.unhealthy : "ALARM(\"${a.alarm_name}\")"])
}

resource "aws_cloudwatch_dashboard" "main" {
  dashboard_name = "microservices-dashboard-${var.environment}"
  dashboard_body = jsonencode({
    widgets = [{
      type = "metric", x = 0, y = 0, width = 12, height = 6
      properties = {
        region  = data.aws_region.this.name
        title   = "CPU"
        metrics = [["AWS/ECS", "CPUUtilization", "ClusterName", aws_ecs_cluster.main.name, "ServiceName", "order-service-${var.environment}"]]
      }
    }]
  })
}
