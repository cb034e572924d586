locals {
  database_dimensions = { DBInstanceIdentifier = aws_db_instance.main.identifier }
  redis_dimensions    = { CacheClusterId = "${aws_elasticache_replication_group.main.id}-001" }
  # Of what was allocated at first: once the storage has grown by itself, these two come later than 20 and 10 %.
  allocated_bytes = var.database_storage.allocated * 1073741824

  database_alarms = {
    "rds-high-cpu" = {
      metric     = "CPUUtilization", period = 60, periods = 5
      comparison = "GreaterThanThreshold", threshold = 70
    }
    "rds-critical-cpu" = {
      metric     = "CPUUtilization", period = 60, periods = 2
      comparison = "GreaterThanThreshold", threshold = 90
    }
    "rds-low-storage" = {
      metric     = "FreeStorageSpace", period = 300, periods = 1
      comparison = "LessThanThreshold", threshold = 0.2 * local.allocated_bytes
    }
    "rds-critical-storage" = {
      metric     = "FreeStorageSpace", period = 300, periods = 1
      comparison = "LessThanThreshold", threshold = 0.1 * local.allocated_bytes
    }
    "rds-high-connections" = {
      metric     = "DatabaseConnections", period = 60, periods = 3
      comparison = "GreaterThanThreshold", threshold = 120
    }
    # 256 MiB.
    "rds-low-memory" = {
      metric     = "FreeableMemory", period = 60, periods = 3
      comparison = "LessThanThreshold", threshold = 268435456
    }
    # Seconds: 20 and 50 ms.
    "rds-high-read-latency" = {
      metric     = "ReadLatency", period = 60, periods = 5
      comparison = "GreaterThanThreshold", threshold = 0.02
    }
    "rds-high-write-latency" = {
      metric     = "WriteLatency", period = 60, periods = 5
      comparison = "GreaterThanThreshold", threshold = 0.05
    }
    "rds-high-read-iops" = {
      metric     = "ReadIOPS", period = 60, periods = 5
      comparison = "GreaterThanThreshold", threshold = 2400
    }
  }
}

resource "aws_cloudwatch_metric_alarm" "database" {
  for_each            = local.database_alarms
  alarm_name          = "${local.name}-${each.key}"
  alarm_description   = "Runbook: docs/deployment/AWS_DEPLOYMENT.md, Alarms, ${each.key}"
  namespace           = "AWS/RDS"
  metric_name         = each.value.metric
  dimensions          = local.database_dimensions
  statistic           = "Average"
  period              = each.value.period
  evaluation_periods  = each.value.periods
  comparison_operator = each.value.comparison
  threshold           = each.value.threshold
  treat_missing_data  = "missing"
  alarm_actions       = [aws_sns_topic.alarms["database"].arn]
  ok_actions          = [aws_sns_topic.alarms["database"].arn]
}
