# The alarms of the services, the front door and the general ones of the data stores. The names and numbers are those of the
# operations document; tests/terraform holds them against its list.
locals {
  service_dimensions = {
    for name in keys(local.services) : name => { ClusterName = aws_ecs_cluster.main.name, ServiceName = name }
  }
  front_dimensions = { LoadBalancer = aws_lb.main.arn_suffix }

  general_alarms = {
    "api-gateway-cpu-high" = {
      namespace  = "AWS/ECS", metric = "CPUUtilization", statistic = "Average", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 85, missing = "missing"
      dimensions = local.service_dimensions["api-gateway"]
    }
    "api-gateway-memory-high" = {
      namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Average", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 90, missing = "missing"
      dimensions = local.service_dimensions["api-gateway"]
    }
    "api-gateway-no-tasks" = {
      namespace  = "ECS/ContainerInsights", metric = "RunningTaskCount", statistic = "Average", period = 60, periods = 2
      comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      dimensions = local.service_dimensions["api-gateway"]
    }
    "engine-no-tasks" = {
      namespace  = "ECS/ContainerInsights", metric = "RunningTaskCount", statistic = "Average", period = 60, periods = 2
      comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      dimensions = local.service_dimensions["engine"]
    }
    "worker-no-tasks" = {
      namespace  = "ECS/ContainerInsights", metric = "RunningTaskCount", statistic = "Average", period = 60, periods = 2
      comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      dimensions = local.service_dimensions["worker"]
    }
    "worker-cpu-high" = {
      namespace  = "AWS/ECS", metric = "CPUUtilization", statistic = "Average", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 85, missing = "missing"
      dimensions = local.service_dimensions["worker"]
    }
    "api-gw-5xx-high" = {
      namespace  = "AWS/ApplicationELB", metric = "HTTPCode_Target_5XX_Count", statistic = "Sum", period = 60, periods = 2
      comparison = "GreaterThanThreshold", threshold = 10, missing = "notBreaching"
      dimensions = local.front_dimensions
    }
    # Seconds, where the HTTP API counted milliseconds.
    "api-gw-latency-high" = {
      namespace  = "AWS/ApplicationELB", metric = "TargetResponseTime", statistic = "Average", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 2, missing = "notBreaching"
      dimensions = local.front_dimensions
    }
    "rds-cpu-high" = {
      namespace  = "AWS/RDS", metric = "CPUUtilization", statistic = "Average", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 80, missing = "missing"
      dimensions = local.database_dimensions
    }
    # 5 GiB.
    "rds-storage-low" = {
      namespace  = "AWS/RDS", metric = "FreeStorageSpace", statistic = "Average", period = 300, periods = 2
      comparison = "LessThanThreshold", threshold = 5368709120, missing = "missing"
      dimensions = local.database_dimensions
    }
    "rds-connections-high" = {
      namespace  = "AWS/RDS", metric = "DatabaseConnections", statistic = "Average", period = 60, periods = 2
      comparison = "GreaterThanThreshold", threshold = 80, missing = "missing"
      dimensions = local.database_dimensions
    }
    # 256 MiB.
    "rds-memory-low" = {
      namespace  = "AWS/RDS", metric = "FreeableMemory", statistic = "Average", period = 60, periods = 3
      comparison = "LessThanThreshold", threshold = 268435456, missing = "missing"
      dimensions = local.database_dimensions
    }
    "redis-cpu-high" = {
      namespace  = "AWS/ElastiCache", metric = "CPUUtilization", statistic = "Average", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 80, missing = "missing"
      dimensions = local.redis_dimensions
    }
    "redis-memory-high" = {
      namespace  = "AWS/ElastiCache", metric = "DatabaseMemoryUsagePercentage", statistic = "Average", period = 60, periods = 2
      comparison = "GreaterThanThreshold", threshold = 80, missing = "missing"
      dimensions = local.redis_dimensions
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "general" {
  for_each            = local.general_alarms
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "Runbook: docs/deployment/AWS_DEPLOYMENT.md, Alarms, ${each.key}"
  namespace           = each.value.namespace
  metric_name         = each.value.metric
  dimensions          = each.value.dimensions
  statistic           = each.value.statistic
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = each.value.missing
  alarm_actions       = [aws_sns_topic.alarms["general"].arn]
  ok_actions          = [aws_sns_topic.alarms["general"].arn]
}
