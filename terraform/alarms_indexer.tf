# Two counts are read from the indexer's log: lines of the program itself for trouble with RPC providers, and the line that
# image/agentauri-progress writes in each minute in which no chain stands still. tests/terraform looks for each of these
# sentences where it is written.
locals {
  indexer_filters = {
    "rpc-errors" = {
      metric  = "RpcErrors"
      pattern = <<-EOT
        { ($.message = "the chain could not be followed; trying again") || ($.message = "the chain could not be attached; trying again") || ($.message = "history could not be read; trying again") || ($.message = "an RPC provider serves another chain and is not used") || ($.message = "the chain is halted; look at the node, then use `agentauri chain rewind`") }
      EOT
    }
    "synced-blocks" = {
      metric  = "SyncedBlocks"
      pattern = "{ $.message = \"synced block\" }"
    }
  }

  indexer_alarms = {
    "indexer-task-down" = {
      namespace  = "ECS/ContainerInsights", metric = "RunningTaskCount", statistic = "Average", period = 60, periods = 2
      comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      dimensions = local.service_dimensions["indexer"]
    }
    # Shares of what the service has, not units of CPU and megabytes.
    "indexer-high-cpu" = {
      namespace  = "AWS/ECS", metric = "CPUUtilization", statistic = "Average", period = 60, periods = 5
      comparison = "GreaterThanThreshold", threshold = 80, missing = "missing"
      dimensions = local.service_dimensions["indexer"]
    }
    "indexer-critical-cpu" = {
      namespace  = "AWS/ECS", metric = "CPUUtilization", statistic = "Average", period = 60, periods = 2
      comparison = "GreaterThanThreshold", threshold = 95, missing = "missing"
      dimensions = local.service_dimensions["indexer"]
    }
    "indexer-high-memory" = {
      namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Average", period = 60, periods = 5
      comparison = "GreaterThanThreshold", threshold = 80, missing = "missing"
      dimensions = local.service_dimensions["indexer"]
    }
    "indexer-critical-memory" = {
      namespace  = "AWS/ECS", metric = "MemoryUtilization", statistic = "Average", period = 60, periods = 2
      comparison = "GreaterThanThreshold", threshold = 95, missing = "missing"
      dimensions = local.service_dimensions["indexer"]
    }
    "indexer-rpc-errors" = {
      namespace  = "AgentAuri/Ponder", metric = "RpcErrors", statistic = "Sum", period = 300, periods = 1
      comparison = "GreaterThanThreshold", threshold = 10, missing = "notBreaching"
      dimensions = {}
    }
    "indexer-sync-stalled" = {
      namespace  = "AgentAuri/Ponder", metric = "SyncedBlocks", statistic = "Sum", period = 300, periods = 2
      comparison = "LessThanThreshold", threshold = 1, missing = "breaching"
      dimensions = {}
    }
  }
}

resource "aws_cloudwatch_log_metric_filter" "indexer" {
  for_each       = local.indexer_filters
  name           = "${local.name}-${each.key}"
  log_group_name = aws_cloudwatch_log_group.service["indexer"].name
  pattern        = trimspace(each.value.pattern)

  metric_transformation {
    namespace = "AgentAuri/Ponder"
    name      = each.value.metric
    value     = "1"
  }
}

resource "aws_cloudwatch_metric_alarm" "indexer" {
  for_each            = local.indexer_alarms
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
  alarm_actions       = [aws_sns_topic.alarms["indexer"].arn]
  ok_actions          = [aws_sns_topic.alarms["indexer"].arn]
}
